import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import {
  authorize,
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { rewriteClient } from "../support/records.ts";
import { told } from "../support/refusals.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** Tests `scope` as a careless client joins it: additional spaces have no meaning (RFC 6749 section 3.3). */

const careless = [
  "read  write",
  " read write",
  "read write ",
  "  read   write  ",
];
/** Nothing else may separate scopes, and a list of spaces only names no scope. */
const malformed = [
  " ",
  "   ",
  "read\twrite",
  "read \t write",
  "read\nwrite",
  "read write\n",
  "read\r\nwrite",
  "read\vwrite",
  "read\fwrite",
  "read\u00a0write",
  "read \u00a0",
  "read\u2003write",
  "read\u3000write",
  "\ufeffread",
  'read "write"',
  "read \\ write",
  "read  wri\0te",
  "read \u007f",
];
const wrong = [400, "invalid_scope", "scope_malformed"];

const grant_types = [
  "client_credentials",
  "refresh_token",
  "authorization_code",
];
const all = "read write";
let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ grant_types, scope: all });
});

/** Asks for a token of the client itself. Laravel's path takes JSON as well. */
function askForItself(scope: string, as: "form" | "json", to: TestServer) {
  const form = { grant_type: "client_credentials", ...credentials(), scope };
  if (as === "form") return to.token(form);
  return to.http("/oauth/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(form),
  });
}

function credentials() {
  const { client_id, client_secret } = client;
  return { client_id, client_secret };
}

const passport = serverWith({ PASSPORT_TOKEN_ENDPOINT: "on" });

describe.each(careless)("the scope %j is a set", (scope) => {
  it("at the token endpoint", async () => {
    for (const as of ["form", "json"] as const) {
      const response = await askForItself(scope, as, passport);
      expect((await expectTokens(response)).scope).toBe(all);
    }
    const { refresh_token } = await server.login(client);
    const next = await server.expectRefresh(client, refresh_token, { scope });
    expect(next.scope).toBe(all);
  });

  it("at the authorization endpoint and for the sign-in page", async () => {
    const code = await obtainCode(client, { scope });
    expect((await expectTokens(await redeem(client, code))).scope).toBe(all);
    const request = await requestAtLogin(client);
    const answer = await decide(request, { subject: "alice", scope });
    const allowed = answer.searchParams.get("code") ?? "";
    expect((await expectTokens(await redeem(client, allowed))).scope).toBe(all);
  });

  it("in the admin API, which stores it with single spaces", async () => {
    expect((await server.login(client, { scope })).scope).toBe(all);
    const made = await server.makeClient({ scope });
    expect(made).toMatchObject({ scope: all });
    const path = `/clients/${made.client_id}`;
    await server.expectAdmin("PATCH", path, { scope: "read" });
    expect(await server.expectAdmin("PATCH", path, { scope })).toMatchObject({
      scope: all,
    });
    expect(
      await env.KV.get<{ scope: string }>(`client:${made.client_id}`, "json"),
    ).toMatchObject({ scope: all });
  });
});

describe.each(malformed)("the scope %j is refused", (scope) => {
  it("at the token endpoint, and the token stays good", async () => {
    for (const as of ["form", "json"] as const)
      expect(await refusal(await askForItself(scope, as, passport))).toEqual(
        wrong,
      );
    const { refresh_token } = await server.login(client);
    const refreshed = await server.refresh(client, refresh_token, { scope });
    expect(await refusal(refreshed)).toEqual(wrong);
    await server.expectRefresh(client, refresh_token);
  });

  it("at the authorization endpoint and from the sign-in page", async () => {
    expect(told(await authorize(client, { scope }))).toMatchObject([
      { error: "invalid_scope" },
      "scope_malformed",
    ]);
    const request = await requestAtLogin(client);
    const body = { request, subject: "alice", scope };
    const decided = await server.admin("POST", "/authorizations", body);
    expect(await refusal(decided)).toEqual(wrong);
  });

  it("in the admin API", async () => {
    const body = { client_id: client.client_id, subject: "alice", scope };
    const granted = await server.admin("POST", "/grants", body);
    expect(await refusal(granted)).toEqual(wrong);
    const made = await server.admin("POST", "/clients", { scope });
    expect(await fieldErrors(made)).toEqual({
      scope: expect.stringMatching(
        /^ +$/.test(scope)
          ? /names no scope.*leave it out/
          : /spaces between them.*white space/,
      ),
    });
  });
});

it("a list of spaces is refused with what to do", async () => {
  const response = await askForItself("  ", "form", passport);
  const { error_description } = await response.json<{
    error_description: string;
  }>();
  expect(error_description).toMatch(/one or more scopes.*left out/);
});

describe("a record that somebody wrote into KV with additional spaces", () => {
  it("has the set of scopes, and none with an empty name", async () => {
    const written = await server.makeClient({ grant_types, scope: all });
    await rewriteClient(written, { scope: " read  write read " });
    const to = serverWith({});
    const tokens = await to.login(written);
    expect(tokens.scope).toBe(all);
    const answer = await to.about("/introspect", written, tokens.access_token);
    expect(await answer.json()).toMatchObject({ active: true, scope: all });
    const path = `/clients/${written.client_id}`;
    expect(
      await to.expectAdmin("PATCH", path, { client_name: "Notes" }),
    ).toMatchObject({ scope: all });
  });
});
