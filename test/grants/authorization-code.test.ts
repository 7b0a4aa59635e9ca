import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { countingBindings } from "../support/counting.ts";
import { ISSUER, refusal, server, serverWith } from "../support/server.ts";
import { rewriteClient } from "../support/records.ts";

/** Tests the redemption of a code (RFC 6749 sections 4.1.3 and 4.1.4, RFC 7636 section 4.5). */

afterEach(() => {
  vi.useRealTimers();
});

beforeAll(() => server.makeScopes("read", "write"));

describe("redeeming a code", () => {
  it("gives a pair of tokens for the user, the client and the scopes that were authorized", async () => {
    const client = await makeWebClient({ scope: "read write" });
    const code = await obtainCode(client, { scope: "read write" });
    const response = await redeem(client, code);
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Pragma")).toBe("no-cache");
    const tokens = await expectTokens(response);
    expect(tokens).toEqual({
      token_type: "Bearer",
      expires_in: 3600,
      access_token: expect.any(String),
      refresh_token: expect.stringMatching(/^baton_rt_/),
      refresh_token_timeout: expect.any(Number),
      authorization_expires_in: expect.any(Number),
      scope: "read write",
    });
    expect(decodeJwt(tokens.access_token)).toMatchObject({
      iss: ISSUER,
      sub: "alice",
      aud: ISSUER,
      client_id: client.client_id,
      scope: "read write",
    });
  });

  it("starts a login that can be refreshed, listed and ended", async () => {
    const client = await makeWebClient({ scope: "read" });
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    const { refresh_token } = await expectTokens(await redeem(client, code));
    const next = await server.expectRefresh(client, refresh_token);
    const path = `/subjects/${subject}/grants`;
    const listed = await server.expectAdmin<{ grants: object[] }>("GET", path);
    expect(listed.grants).toMatchObject([
      { client_id: client.client_id, scope: "read" },
    ]);
    const ended = await server.expectAdmin("DELETE", path);
    expect(ended).toEqual({ revoked: 1 });
    const after = await server.refresh(client, next.refresh_token);
    expect(await refusal(after)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("costs one call of the family's object and no KV write, and reads nothing again within a second", async () => {
    const client = await makeWebClient({ scope: "read" });
    // What starts a login reads past the isolate's copy, at most once per second.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const [first, second] = [
      await obtainCode(client, {}, { subject: "alice" }, counted),
      await obtainCode(client, {}, { subject: "alice" }, counted),
    ];
    expect(calls).toMatchObject({ family: 0, kvWrite: 0 });
    await expectTokens(await redeem(client, first, {}, counted));
    const { kvRead } = calls;
    await expectTokens(await redeem(client, second, {}, counted));
    expect(calls).toEqual({ family: 2, kvRead, kvWrite: 0 });
  });

  it("works for a public client, which is authenticated only by the verifier", async () => {
    const client = await makeWebClient({ token_endpoint_auth_method: "none" });
    const code = await obtainCode(client);
    const { refresh_token } = await expectTokens(await redeem(client, code));
    await server.expectRefresh(client, refresh_token);
  });

  it("gives no refresh token to a client that may not refresh, and the family ends with the access token", async () => {
    const client = await makeWebClient({ grant_types: ["authorization_code"] });
    const subject = crypto.randomUUID();
    const code = await obtainCode(client, {}, { subject });
    const tokens = await expectTokens(await redeem(client, code));
    expect(tokens).not.toHaveProperty("refresh_token");
    const { exp } = decodeJwt(tokens.access_token);
    const { grants } = await server.expectAdmin<{ grants: object[] }>(
      "GET",
      `/subjects/${subject}/grants`,
    );
    expect(grants).toMatchObject([{ expires_at: exp }]);
    expect(
      (await server.about("/revoke", client, tokens.access_token)).status,
    ).toBe(200);
    const state = await server.about(
      "/introspect",
      client,
      tokens.access_token,
    );
    expect(await state.json()).toEqual({ active: false });
  });

  it("narrows the audience to the granted resources that the token request names", async () => {
    const [one, two, other] = [
      "https://one.example",
      "https://two.example",
      "https://three.example",
    ] as const;
    const client = await makeWebClient({ resources: [one, two, other] });
    const both = [
      ["resource", one],
      ["resource", two],
    ];
    const request = async (resource?: string) =>
      redeem(client, await obtainCode(client, both), { resource });
    const audience = async (response: Response) =>
      decodeJwt((await expectTokens(response)).access_token).aud;
    expect(await audience(await request())).toEqual([one, two]);
    expect(await audience(await request(two))).toBe(two);
    expect(await refusal(await request(other))).toEqual([
      400,
      "invalid_target",
      "resource_not_allowed",
    ]);
  });

  it("leaves out scopes that the client has lost since, and is refused if none is left", async () => {
    const client = await makeWebClient({ scope: "read write" });
    const [first, second] = [
      await obtainCode(client),
      await obtainCode(client),
    ];
    const path = `/clients/${client.client_id}`;
    await server.expectAdmin("PATCH", path, { scope: "read" });
    expect(await expectTokens(await redeem(client, first))).toMatchObject({
      scope: "read",
    });
    await server.expectAdmin("PATCH", path, { scope: null });
    expect(await refusal(await redeem(client, second))).toEqual([
      400,
      "invalid_scope",
      "scope_all_lost",
    ]);
  });

  it("is refused for a client that is not registered for the grant type, and for every client without LOGIN_URL", async () => {
    const client = await server.makeClient({ grant_types: ["refresh_token"] });
    expect(await refusal(await redeem(client, "x"))).toEqual([
      400,
      "unauthorized_client",
      "grant_type_not_allowed",
    ]);
    const withoutLogin = serverWith({ LOGIN_URL: "" });
    expect(await refusal(await redeem(client, "x", {}, withoutLogin))).toEqual([
      400,
      "unsupported_grant_type",
      "grant_type_unknown",
    ]);
  });
});

describe("a code exchange", () => {
  it.each(["code", "code_verifier"])(
    "requires the parameter %s",
    async (name) => {
      const client = await makeWebClient();
      const code = await obtainCode(client);
      expect(
        await refusal(await redeem(client, code, { [name]: undefined })),
      ).toEqual([400, "invalid_request", "parameter_missing"]);
      // The refusal did not use up the code.
      expect((await redeem(client, code)).status).toBe(200);
    },
  );

  it.each(["code", "redirect_uri", "code_verifier"])(
    "refuses a repeated %s",
    async (name) => {
      const client = await makeWebClient();
      const response = await server.token([
        ["grant_type", "authorization_code"],
        ["client_id", client.client_id],
        ["client_secret", client.client_secret],
        [name, "x"],
        [name, "x"],
      ]);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_request",
        "parameter_repeated",
      ]);
    },
  );

  it("requires the port of the authorization request in a loopback redirect URI", async () => {
    const client = await makeWebClient({
      redirect_uris: ["http://127.0.0.1/cb"],
    });
    const redirect_uri = "http://127.0.0.1:51234/cb";
    const code = await obtainCode(client, { redirect_uri });
    const otherPort = { redirect_uri: "http://127.0.0.1:51235/cb" };
    expect(await refusal(await redeem(client, code, otherPort))).toEqual([
      400,
      "invalid_grant",
      "redirect_uri_differs",
    ]);
    expect((await redeem(client, code, { redirect_uri })).status).toBe(200);
  });

  it.each([
    ["wrong", "a".repeat(43)],
    ["the challenge itself", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
    ["too short", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX"],
    ["too long", "a".repeat(129)],
    ["made of forbidden characters", `${"a".repeat(42)}=`],
  ])(
    "refuses a verifier that is %s, and the code stays good",
    async (_, code_verifier) => {
      const client = await makeWebClient();
      const code = await obtainCode(client);
      expect(
        await refusal(await redeem(client, code, { code_verifier })),
      ).toEqual([400, "invalid_grant", "code_verifier_wrong"]);
      expect((await redeem(client, code)).status).toBe(200);
    },
  );

  it("refuses another client, and a later client with the same id, and the code stays good", async () => {
    const [client, other] = [await makeWebClient(), await makeWebClient()];
    const code = await obtainCode(client);
    expect(await refusal(await redeem(other, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_of_another_client",
    ]);
    expect((await redeem(client, code)).status).toBe(200);

    const old = await obtainCode(client);
    await rewriteClient(client, { client_id_issued_at: 1 });
    expect(
      await refusal(await redeem(client, old, {}, serverWith({}))),
    ).toEqual([400, "invalid_grant", "authorization_code_of_another_client"]);
  });
});
