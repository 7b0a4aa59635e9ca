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

/** What may change while a person signs in, and what a login may not widen. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write" });
});

function post(decision: Record<string, unknown>): Promise<Response> {
  return server.admin("POST", "/authorizations", decision);
}

describe("between the request and the tokens", () => {
  const decisions = [{ subject: "alice" }, { error: "access_denied" }];

  /** Both operations of the login, and what they say. */
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

  const allName = [["request"], ["request"], ["request"]];

  it("the client may be deleted: then nothing is decided, and nothing redeemed", async () => {
    const gone = await makeWebClient();
    const request = await requestAtLogin(gone);
    const code = await obtainCode(gone);
    await server.expectAdmin("DELETE", `/clients/${gone.client_id}`);
    expect(await refusedFields(request)).toEqual(allName);
    expect(await refusal(await redeem(gone, code))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
  });

  it("another client may come by its id: then its request is none", async () => {
    const { client_id } = await makeWebClient();
    const request = await requestAtLogin({ client_id });
    await rewriteClient({ client_id }, { client_id_issued_at: 1 });
    expect(await refusedFields(request, serverWith({}))).toEqual(allName);
  });

  it.each([
    ["its redirect URI", { redirect_uris: [`${REDIRECT_URI}/new`] }],
    ["the grant", { grant_types: ["refresh_token"] }],
  ])("the client may lose %s: then nothing is decided", async (_, patch) => {
    const poorer = await makeWebClient();
    const request = await requestAtLogin(poorer);
    await server.expectAdmin("PATCH", `/clients/${poorer.client_id}`, patch);
    expect(await refusedFields(request)).toEqual(allName);
  });

  it("the client may lose the grant after the decision: then the code is of no use", async () => {
    const poorer = await makeWebClient();
    const code = await obtainCode(poorer);
    const patch = { grant_types: ["refresh_token"] };
    await server.expectAdmin("PATCH", `/clients/${poorer.client_id}`, patch);
    expect(await refusal(await redeem(poorer, code))).toEqual([
      400,
      "unauthorized_client",
      "grant_type_not_allowed",
    ]);
  });

  it("the login can't give more than was asked for, though the client may have it", async () => {
    const request = await requestAtLogin(client, { scope: "read" });
    for (const [scope, reason] of [
      ["read write", "scope_not_granted"],
      ["write", "scope_not_granted"],
      ["admin", "scope_not_granted"],
      ["read  ", "scope_malformed"],
      [" ", "scope_malformed"],
    ]) {
      const response = await post({ request, subject: "alice", scope });
      expect(await refusal(response)).toEqual([400, "invalid_scope", reason]);
    }
    expect((await post({ request, subject: "alice" })).status).toBe(200);
  });

  it("the login can't give what the client has lost since", async () => {
    const poorer = await makeWebClient({ scope: "read write" });
    const request = await requestAtLogin(poorer, { scope: "read write" });
    const path = `/clients/${poorer.client_id}`;
    await server.expectAdmin("PATCH", path, { scope: "read" });
    const both = { request, subject: "alice", scope: "read write" };
    expect(await refusal(await post(both))).toEqual([
      400,
      "invalid_scope",
      "scope_not_granted",
    ]);
    const code = (await decide(request)).searchParams.get("code") ?? "";
    const { scope } = await expectTokens(await redeem(poorer, code));
    expect(scope).toBe("read");
    // Nothing is left to be shown to the person, or decided.
    await server.expectAdmin("PATCH", path, { scope: "" });
    expect(await refusedFields(request)).toEqual(allName);
  });

  it("a resource that the client has lost since is not granted", async () => {
    const [kept, lost] = ["https://kept.example", "https://lost.example"];
    const poorer = await makeWebClient({ resources: [kept, lost] });
    const ask = (...resources: string[]) =>
      requestAtLogin(
        poorer,
        resources.map((resource) => ["resource", resource]),
      );
    const [one, both] = [await ask(lost), await ask(kept, lost)];
    const path = `/clients/${poorer.client_id}`;
    await server.expectAdmin("PATCH", path, { resources: [kept] });
    expect(await refusedFields(one)).toEqual(allName);
    const code = (await decide(both)).searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(poorer, code));
    expect(decodeJwt(tokens.access_token).aud).toBe(kept);
  });
});
