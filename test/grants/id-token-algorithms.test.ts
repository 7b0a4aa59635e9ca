import { createHash } from "node:crypto";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { type OpenIdTokens, verifyIdToken } from "../support/openid.ts";
import { newPem } from "../support/rotation.ts";
import { server, serverWith, type TestClient } from "../support/server.ts";

/** Tests the algorithms of ID tokens, and `at_hash`, which depends on them (OpenID Connect Core section 3.1.3.6). */

const algorithms = [
  ["ES256", "sha256"],
  ["ES384", "sha384"],
  ["EdDSA", "sha512"],
  ["RS256", "sha256"],
  ["PS256", "sha256"],
] as const;

/** The left half of the digest of an access token, as Node computes it. */
function leftHalf(hash: string, accessToken: string): string {
  const digest = createHash(hash).update(accessToken, "ascii").digest();
  return digest.subarray(0, digest.length / 2).toString("base64url");
}

function keyFor(alg: string): string {
  return inject("testKeys").plain.find(([, , name]) => name === alg)![1];
}

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid");
  client = await server.makeClient({ scope: "openid" });
});

describe.each(algorithms)("a key for %s", (alg, hash) => {
  it("signs ID tokens that jose verifies, with the hash of their own access token alone", async () => {
    const from = serverWith({ PRIVATE_KEY: keyFor(alg) });
    const one = (await from.login(client)) as OpenIdTokens;
    const other = (await from.login(client)) as OpenIdTokens;
    const { at_hash } = await verifyIdToken(one, client, { alg, from });
    expect(at_hash).toBe(leftHalf(hash, one.access_token));
    expect(at_hash).not.toBe(leftHalf(hash, other.access_token));
    expect(decodeProtectedHeader(one.id_token)).toEqual({
      ...decodeProtectedHeader(one.access_token),
      alg,
      typ: "JWT",
    });
  });
});

describe("of several keys", () => {
  const rsa = () => keyFor("RS256");
  const from = (time: number) =>
    `from=${new Date(time).toISOString().replace(/\.\d+/, "")};`;

  it("the one that signs access tokens signs ID tokens, and its algorithm gives at_hash", async () => {
    const DAY = 86_400_000;
    const later = serverWith({
      PRIVATE_KEY: newPem(),
      PRIVATE_KEY_RSA: from(Date.now() + DAY) + rsa(),
    });
    const tokens = (await later.login(client)) as OpenIdTokens;
    await verifyIdToken(tokens, client, { alg: "ES256", from: later });

    const since = serverWith({
      PRIVATE_KEY: keyFor("ES384"),
      PRIVATE_KEY_RSA: from(Date.now() - DAY) + rsa(),
    });
    const rotated = (await since.login(client)) as OpenIdTokens;
    await verifyIdToken(rotated, client, { alg: "RS256", from: since });
    expect(decodeJwt(rotated.id_token)["at_hash"]).toBe(
      leftHalf("sha256", rotated.access_token),
    );
  });
});
