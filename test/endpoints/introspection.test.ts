import { env } from "cloudflare:workers";
import {
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  SignJWT,
} from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** Tests token introspection (RFC 7662). */

beforeAll(() => server.makeScopes("read", "write"));

afterEach(() => {
  vi.useRealTimers();
});

function ask(
  client: TestClient,
  token: string,
  at: TestServer = server,
): Promise<Response> {
  return at.about("/introspect", client, token);
}

async function introspect(client: TestClient, token: string) {
  const response = await ask(client, token);
  expect(response.status).toBe(200);
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  return response.json<Record<string, unknown>>();
}

const inactive = { active: false };

describe("POST /introspect", () => {
  it("describes a client's own access token", async () => {
    const client = await server.makeClient({ scope: "read write" });
    const login = await server.login(client);
    const { access_token } = await server.expectRefresh(
      client,
      login.refresh_token,
      { scope: "read" },
    );
    const answer = await introspect(client, access_token);
    expect(answer).toEqual({
      active: true,
      token_type: "Bearer",
      iss: ISSUER,
      sub: "alice",
      aud: ISSUER,
      client_id: client.client_id,
      scope: "read",
      iat: expect.any(Number),
      exp: Number(answer["iat"]) + 3600,
      jti: expect.any(String),
    });
  });

  it("describes a client's own newest refresh token, and no older one", async () => {
    const client = await server.makeClient({ scope: "read write" });
    const first = await server.login(client);
    expect(await introspect(client, first.refresh_token)).toEqual({
      active: true,
      iss: ISSUER,
      sub: "alice",
      client_id: client.client_id,
      scope: "read write",
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
    const second = await server.expectRefresh(client, first.refresh_token);
    expect(await introspect(client, first.refresh_token)).toEqual(inactive);
    expect(await introspect(client, second.refresh_token)).toMatchObject({
      active: true,
    });
  });

  it("describes to a resource server every access token with its audience, and no other token", async () => {
    const [a, b] = ["https://a.example.com", "https://b.example.com"];
    const resourceServer = await server.makeClient({ resource_server: a });
    const client = await server.makeClient({ resources: [a, b] });
    const login = await server.login(client);
    const forA = await server.expectRefresh(client, login.refresh_token, {
      resource: a,
    });
    const forBoth = await server.expectRefresh(client, forA.refresh_token, [
      ["resource", b],
      ["resource", a],
    ]);
    const forB = await server.expectRefresh(client, forBoth.refresh_token, {
      resource: b,
    });
    expect(await introspect(resourceServer, forA.access_token)).toMatchObject({
      active: true,
      aud: a,
    });
    expect(
      await introspect(resourceServer, forBoth.access_token),
    ).toMatchObject({ active: true });
    expect(await introspect(resourceServer, forB.access_token)).toEqual(
      inactive,
    );
    expect(await introspect(resourceServer, forB.refresh_token)).toEqual(
      inactive,
    );
  });

  it("answers inactive for another client's token", async () => {
    const owner = await server.makeClient();
    const otherClient = await server.makeClient();
    const tokens = await server.login(owner);
    expect(await introspect(otherClient, tokens.access_token)).toEqual(
      inactive,
    );
    expect(await introspect(otherClient, tokens.refresh_token)).toEqual(
      inactive,
    );
  });

  it("answers inactive as soon as a replay has ended the login", async () => {
    const client = await server.makeClient();
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    expect(await introspect(client, second.access_token)).toMatchObject({
      active: true,
    });
    await server.refresh(client, first.refresh_token);
    expect(await introspect(client, second.access_token)).toEqual(inactive);
    expect(await introspect(client, second.refresh_token)).toEqual(inactive);
  });

  it("answers inactive for an expired token", async () => {
    const client = await server.makeClient({
      access_token_ttl: "PT1M",
      refresh_token_ttl: "PT2M",
    });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const tokens = await server.login(client);
    vi.advanceTimersByTime(60_000);
    expect(await introspect(client, tokens.access_token)).toEqual(inactive);
    expect(await introspect(client, tokens.refresh_token)).toMatchObject({
      active: true,
    });
    vi.advanceTimersByTime(60_000);
    expect(await introspect(client, tokens.refresh_token)).toEqual(inactive);
  });

  it("answers inactive for what is not a token, without calling a family", async () => {
    const client = await server.makeClient();
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const { access_token, refresh_token } = await server.login(client);
    const [header, payload, signature] = access_token.split(".");
    const unsecuredHeader = btoa('{"alg":"none","typ":"at+jwt"}').replaceAll(
      "=",
      "",
    );
    for (const token of [
      "garbage",
      "a.b.c",
      `${unsecuredHeader}.${payload}.`,
      `${unsecuredHeader}.${payload}.${signature}`,
      `${header}.${payload}.${"A".repeat(86)}`,
      refresh_token.slice(0, -1),
    ]) {
      expect(await (await ask(client, token, counted)).json()).toEqual(
        inactive,
      );
    }
    expect(calls.family).toBe(0);
  });

  it("answers inactive for a JWT that the same key signed for another purpose or another issuer", async () => {
    const client = await server.makeClient();
    const { access_token } = await server.login(client);
    const { kid = "", alg = "" } = decodeProtectedHeader(access_token);
    const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, alg);
    const sign = (claims: object, typ: string) =>
      new SignJWT({ ...decodeJwt(access_token), ...claims })
        .setProtectedHeader({ alg, kid, typ })
        .sign(key);
    expect(await introspect(client, await sign({}, "at+jwt"))).toMatchObject({
      active: true,
    });
    for (const token of [
      await sign({}, "JWT"),
      await sign({ iss: "https://other.example.com" }, "at+jwt"),
      await sign({ jti: "of-no-family" }, "at+jwt"),
    ]) {
      expect(await introspect(client, token)).toEqual(inactive);
    }
  });

  it("answers inactive for tokens of a deleted client", async () => {
    const audience = "https://api.example.com";
    const resourceServer = await server.makeClient({
      resource_server: audience,
    });
    const client = await server.makeClient({ resources: [audience] });
    const { access_token } = await server.login(client, { resource: audience });
    expect(await introspect(resourceServer, access_token)).toMatchObject({
      active: true,
    });
    await server.expectAdmin("DELETE", `/clients/${client.client_id}`);
    expect(await introspect(resourceServer, access_token)).toEqual(inactive);
  });

  it("is for confidential clients only", async () => {
    const client = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const { access_token } = await server.login(client);
    const response = await server.about("/introspect", client, access_token);
    expect(await refusal(response)).toEqual([
      401,
      "invalid_client",
      "client_authentication_method_wrong",
    ]);
    const confidential = await server.makeClient();
    const wrong = await ask(
      { ...confidential, client_secret: "x" },
      access_token,
    );
    expect(await refusal(wrong)).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    expect(await refusal(await ask(confidential, ""))).toEqual([
      400,
      "invalid_request",
      "parameter_missing",
    ]);
  });

  it("costs one call of the family's object, and changes nothing", async () => {
    const client = await server.makeClient();
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const { access_token, refresh_token } = await server.login(client);
    await ask(client, access_token, counted);
    await ask(client, refresh_token, counted);
    expect(calls.family).toBe(2);
    expect(calls.kvWrite).toBe(0);
    await server.expectRefresh(client, refresh_token);
  });
});
