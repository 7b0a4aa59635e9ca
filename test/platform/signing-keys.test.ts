import {
  createLocalJWKSet,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  jwtVerify,
} from "jose";
import type { JSONWebKeySet, JWK } from "jose";
import { describe, expect, inject, it, vi } from "vitest";
import { ISSUER, serverWith, type TestServer } from "../support/server.ts";

/** PRIVATE_KEY in every form that it may have, and the JWKS that is made from it. */

const keys = inject("testKeys");

async function jwks(server: TestServer): Promise<JSONWebKeySet> {
  return (await server.http("/.well-known/jwks.json")).json<JSONWebKeySet>();
}

/** Verifies an access token of the server with its JWKS. @returns the token's protected header */
async function signedWith(server: TestServer) {
  const client = await server.makeClient();
  const { refresh_token } = await server.login(client);
  const { access_token } = await server.expectRefresh(client, refresh_token);
  const verified = await jwtVerify(
    access_token,
    createLocalJWKSet(await jwks(server)),
    {
      issuer: ISSUER,
      audience: ISSUER,
      typ: "at+jwt",
    },
  );
  return verified.protectedHeader;
}

describe("PRIVATE_KEY", () => {
  it.each(keys.plain)("may be %s", async (_, PRIVATE_KEY, alg) => {
    expect(await signedWith(serverWith({ PRIVATE_KEY }))).toMatchObject({
      alg,
    });
  });

  it.each(keys.encrypted)(
    "may be an encrypted PEM for %s, with its pass phrase",
    async (alg, PRIVATE_KEY) => {
      const PRIVATE_KEY_PASSPHRASE = keys.passphrase;
      const server = serverWith({ PRIVATE_KEY, PRIVATE_KEY_PASSPHRASE });
      expect(await signedWith(server)).toMatchObject({ alg });
    },
  );

  it("may be a JWK set: the first key signs, all are published", async () => {
    const pairs = await Promise.all(
      ["ES256", "EdDSA"].map((alg) =>
        generateKeyPair(alg, { extractable: true }),
      ),
    );
    const [first, second] = await Promise.all(
      pairs.map((pair) => exportJWK(pair.privateKey)),
    );
    const retired = await exportJWK((await generateKeyPair("PS256")).publicKey);
    const set = [
      { ...first, kid: "2027" },
      second,
      { ...retired, alg: "PS256", kid: "2025" },
    ];
    const server = serverWith({ PRIVATE_KEY: JSON.stringify({ keys: set }) });
    expect(await signedWith(server)).toMatchObject({
      alg: "ES256",
      kid: "2027",
    });
    const published = (await jwks(server)).keys;
    expect(published.map(({ alg }) => alg)).toEqual([
      "ES256",
      "EdDSA",
      "PS256",
    ]);
    expect(new Set(published.map(({ kid }) => kid)).size).toBe(3);
  });

  it("can be rotated: the tokens of the old key and of the new one can be verified", async () => {
    const [oldKey, newerKey] = await Promise.all(
      ["ES256", "ES256"].map(async (alg) =>
        exportJWK(
          (await generateKeyPair(alg, { extractable: true })).privateKey,
        ),
      ),
    );
    const before = serverWith({ PRIVATE_KEY: JSON.stringify(oldKey) });
    const after = serverWith({
      PRIVATE_KEY: JSON.stringify({ keys: [newerKey, oldKey] }),
    });
    const client = await before.makeClient();
    const first = await before.login(client);
    const second = await after.expectRefresh(client, first.refresh_token);
    const keySet = createLocalJWKSet(await jwks(after));
    for (const { access_token } of [first, second]) {
      await expect(jwtVerify(access_token, keySet)).resolves.toBeTruthy();
    }
    expect(decodeProtectedHeader(first.access_token).kid).not.toBe(
      decodeProtectedHeader(second.access_token).kid,
    );
  });
});

describe("the JWKS", () => {
  it.each([
    ["RS256", 3],
    ["ES256", 6],
    ["ES384", 2],
    ["EdDSA", 2],
  ])("has the same key for every form of a key for %s", async (name, forms) => {
    const published = await Promise.all(
      keys.plain
        .filter(([, , alg]) => alg === name)
        .map(([, PRIVATE_KEY]) => jwks(serverWith({ PRIVATE_KEY }))),
    );
    expect(published).toHaveLength(forms);
    for (const each of published) expect(each).toEqual(published[0]);
  });

  it.each(keys.plain)(
    "has the public part of %s and nothing else",
    async (_, PRIVATE_KEY, alg) => {
      const server = serverWith({ PRIVATE_KEY });
      const response = await server.http("/.well-known/jwks.json");
      expect(response.status).toBe(200);
      expect(response.headers.get("Content-Type")).toMatch(
        /^application\/jwk-set\+json/,
      );
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
      const { keys: published } = await response.json<{ keys: JWK[] }>();
      const members = {
        EC: ["crv", "x", "y"],
        OKP: ["crv", "x"],
        RSA: ["n", "e"],
      };
      const [key] = published;
      const expected = members[key?.kty as keyof typeof members];
      expect(Object.keys(key ?? {}).toSorted()).toEqual(
        [...expected, "kty", "kid", "alg", "use"].toSorted(),
      );
      expect(key).toMatchObject({
        alg,
        use: "sig",
        kid: expect.stringMatching(/^[\w-]{43}$/),
      });
    },
  );
});

describe("a start", () => {
  it("imports the private half of the key that signs and of those that start later, and no other", async () => {
    const newJwk = async (more: object = {}) => {
      const options = { extractable: true };
      const { privateKey } = await generateKeyPair("ES256", options);
      return JSON.stringify({ ...(await exportJWK(privateKey)), ...more });
    };
    const later = new Date(Date.now() + 86_400_000).toISOString().slice(0, 19);
    const server = serverWith({
      PRIVATE_KEY: await newJwk(),
      PRIVATE_KEY_2024: `from=2024-01-01T00:00:00Z;${await newJwk()}`,
      PRIVATE_KEY_2025: `from=2025-01-01T00:00:00Z;${await newJwk({ kid: "signs" })}`,
      PRIVATE_KEY_LATER: `from=${later}Z;${await newJwk({ kid: "later" })}`,
    });
    const imported = vi.spyOn(crypto.subtle, "importKey");
    expect((await jwks(server)).keys).toHaveLength(4);
    const usages = imported.mock.calls.map(([, , , , usage]) => usage);
    vi.restoreAllMocks();
    const used = (name: string) =>
      usages.filter((usage) => (usage as readonly string[]).includes(name));
    expect(used("verify")).toHaveLength(4);
    expect(used("sign")).toHaveLength(2);
    expect((await signedWith(server)).kid).toBe("signs");
  });
});
