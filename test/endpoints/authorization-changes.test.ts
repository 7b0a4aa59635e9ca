import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import {
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";
import { rewriteClient } from "../support/records.ts";

/** Tests changes of a client while a user signs in, and that a decision can't widen the request. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write" });
});

function post(decision: Record<string, unknown>): Promise<Response> {
  return server.admin("POST", "/authorizations", decision);
}

describe("between the request and the tokens,", () => {
  const decisions = [{ subject: "alice" }, { error: "access_denied" }];

  /** The fields that both operations of the sign-in page name when they refuse a request. */
  async function refusedFields(request: string, to = server) {
    const query = new URLSearchParams({ request }).toString();
    const responses = [await to.admin("GET", `/authorizations?${query}`)];
    for (const decision of decisions) {
      const body = { request, ...decision };
      responses.push(await to.admin("POST", "/authorizations", body));
    }
    return Promise.all(
      responses.map(async (response) =>
        Object.keys(
          await fieldErrors(response, "authorization_request_outdated"),
        ),
      ),
    );
  }

  const allNameRequest = [["request"], ["request"], ["request"]];

  it("the client may be deleted: then the request can't be decided and the code can't be redeemed", async () => {
    const deleted = await makeWebClient();
    const request = await requestAtLogin(deleted);
    const code = await obtainCode(deleted);
    await server.expectAdmin("DELETE", `/clients/${deleted.client_id}`);
    expect(await refusedFields(request)).toEqual(allNameRequest);
    expect(await refusal(await redeem(deleted, code))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
  });

  it("another client may get the client's id: then the request can't be decided", async () => {
    const { client_id } = await makeWebClient();
    const request = await requestAtLogin({ client_id });
    await rewriteClient({ client_id }, { client_id_issued_at: 1 });
    expect(await refusedFields(request, serverWith({}))).toEqual(
      allNameRequest,
    );
  });

  it.each([
    ["its redirect URI", { redirect_uris: [`${REDIRECT_URI}/new`] }],
    ["the grant type", { grant_types: ["refresh_token"] }],
  ])(
    "the client may lose %s: then the request can't be decided",
    async (_, patch) => {
      const changed = await makeWebClient();
      const request = await requestAtLogin(changed);
      await server.expectAdmin("PATCH", `/clients/${changed.client_id}`, patch);
      expect(await refusedFields(request)).toEqual(allNameRequest);
    },
  );

  it("the client may lose the grant type after the decision: then the code can't be redeemed", async () => {
    const changed = await makeWebClient();
    const code = await obtainCode(changed);
    const patch = { grant_types: ["refresh_token"] };
    await server.expectAdmin("PATCH", `/clients/${changed.client_id}`, patch);
    expect(await refusal(await redeem(changed, code))).toEqual([
      400,
      "unauthorized_client",
      "grant_type_not_allowed",
    ]);
  });

  it("the sign-in page can't allow a scope that was not requested, even if the client may have it", async () => {
    const request = await requestAtLogin(client, { scope: "read" });
    for (const [scope, reason] of [
      ["read write", "scope_not_granted"],
      ["write", "scope_not_granted"],
      ["admin", "scope_not_granted"],
      ["read\t", "scope_malformed"],
      [" ", "scope_malformed"],
    ]) {
      const response = await post({ request, subject: "alice", scope });
      expect(await refusal(response)).toEqual([400, "invalid_scope", reason]);
    }
    expect((await post({ request, subject: "alice" })).status).toBe(200);
  });

  it("the sign-in page can't allow a scope that the client has lost since", async () => {
    const changed = await makeWebClient({ scope: "read write" });
    const request = await requestAtLogin(changed, { scope: "read write" });
    const path = `/clients/${changed.client_id}`;
    await server.expectAdmin("PATCH", path, { scope: "read" });
    const both = { request, subject: "alice", scope: "read write" };
    expect(await refusal(await post(both))).toEqual([
      400,
      "invalid_scope",
      "scope_not_granted",
    ]);
    const code = (await decide(request)).searchParams.get("code") ?? "";
    const { scope } = await expectTokens(await redeem(changed, code));
    expect(scope).toBe("read");
    // No scope is left to show to the user, or to decide.
    await server.expectAdmin("PATCH", path, { scope: "" });
    expect(await refusedFields(request)).toEqual(allNameRequest);
  });

  it("a resource that the client has lost since is not granted", async () => {
    const [kept, lost] = ["https://kept.example", "https://lost.example"];
    const changed = await makeWebClient({ resources: [kept, lost] });
    const ask = (...resources: string[]) =>
      requestAtLogin(
        changed,
        resources.map((resource) => ["resource", resource]),
      );
    const [one, both] = [await ask(lost), await ask(kept, lost)];
    const path = `/clients/${changed.client_id}`;
    await server.expectAdmin("PATCH", path, { resources: [kept] });
    expect(await refusedFields(one)).toEqual(allNameRequest);
    const code = (await decide(both)).searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(changed, code));
    expect(decodeJwt(tokens.access_token).aud).toBe(kept);
  });
});
