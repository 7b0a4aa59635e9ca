import {
  createLocalJWKSet,
  decodeJwt,
  type JSONWebKeySet,
  jwtVerify,
} from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { ISSUER, server, type Tokens } from "../../support/server.ts";

/** RFC 9068: JWT access tokens. */

let keySet: ReturnType<typeof createLocalJWKSet>;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  const jwks = await server.http("/.well-known/jwks.json");
  keySet = createLocalJWKSet(await jwks.json<JSONWebKeySet>());
});

async function refreshed(): Promise<Tokens & { client_id: string }> {
  const client = await server.makeClient({ scope: "read write" });
  const { refresh_token } = await server.login(client);
  return {
    ...(await server.expectRefresh(client, refresh_token)),
    client_id: client.client_id,
  };
}

describe("an access token", () => {
  it("has the header and the claims of RFC 9068 section 2, and no others", async () => {
    const before = Math.floor(Date.now() / 1000);
    const { access_token, client_id } = await refreshed();
    const { protectedHeader, payload } = await jwtVerify(access_token, keySet);
    expect(protectedHeader).toEqual({
      alg: "ES256",
      kid: expect.any(String),
      typ: "at+jwt",
    });
    expect(payload.iat).toBeGreaterThanOrEqual(before);
    expect(payload.iat).toBeLessThanOrEqual(Math.floor(Date.now() / 1000));
    expect(payload).toEqual({
      iss: ISSUER,
      sub: "alice",
      aud: ISSUER,
      client_id,
      scope: "read write",
      iat: payload.iat,
      exp: (payload.iat ?? 0) + 3600,
      jti: expect.stringMatching(/^[\w-]{43}\.[\w-]{22}$/),
    });
  });

  it("has a unique jti that names its family", async () => {
    const client = await server.makeClient();
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    const sibling = await server.login(client);
    const [a, b, c] = [first, second, sibling].map(
      ({ access_token }) => decodeJwt(access_token).jti,
    );
    expect(new Set([a, b, c]).size).toBe(3);
    const family = (jti: string | undefined) => jti?.split(".")[0];
    expect(family(a)).toBe(family(b));
    expect(family(a)).not.toBe(family(c));
  });

  it("is refused by a resource server if it was altered", async () => {
    const { access_token } = await refreshed();
    const [header, payload, signature] = access_token.split(".");
    const claims = { ...decodeJwt(access_token), scope: "read write admin" };
    const forged = btoa(JSON.stringify(claims)).replaceAll("=", "");
    await expect(
      jwtVerify(`${header}.${forged}.${signature}`, keySet),
    ).rejects.toThrow(/signature verification failed/);
    await expect(
      jwtVerify(`${header}.${payload}.${signature}`, keySet),
    ).resolves.toBeTruthy();
  });
});
