import { env } from "cloudflare:workers";
import {
  base64url,
  compactDecrypt,
  CompactEncrypt,
  CompactSign,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from "jose";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { decodeBase64 } from "../../src/oauth/bytes.ts";
import { deriveTokenKey } from "../../src/oauth/tokens/token-keys.ts";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/**
 * A thief who knows Baton's source and has one of its keys makes no login. A code is signed with PRIVATE_KEY
 * inside the encryption with ENCRYPTION_KEY, so both are needed.
 */

const forged = [400, "invalid_grant", "authorization_code_forged"];
const malformed = [400, "invalid_grant", "authorization_code_malformed"];

const privateKey = JSON.parse(env.PRIVATE_KEY) as JWK;
const encoder = new TextEncoder();

/** A code of the thief's own login, which the thief changes. */
let genuine: string;
/** The thief's client, which is public. */
let client: { client_id: string };

beforeAll(async () => {
  await server.makeScopes("read");
  const { client_id } = await makeWebClient({
    token_endpoint_auth_method: "none",
    scope: "read",
  });
  client = { client_id };
  genuine = await obtainCode(client, {}, { subject: "mallory" });
});

/** Encrypts what a thief has made, with the header of a genuine code. */
async function encrypt(
  content: string,
  encryptionKey = env.ENCRYPTION_KEY,
): Promise<string> {
  const { code } = await deriveTokenKey(decodeBase64(encryptionKey)!);
  const { alg, enc, ...header } = decodeProtectedHeader(genuine);
  return new CompactEncrypt(encoder.encode(content))
    .setProtectedHeader({ ...header, alg: String(alg), enc: String(enc) })
    .encrypt(code);
}

/** Encrypts a JWS as the server does: the JWS without its payload, and the payload. */
function encryptJws(jws: string, encryptionKey?: string): Promise<string> {
  const [header, payload = "", signature] = jws.split(".");
  const text = new TextDecoder().decode(base64url.decode(payload));
  return encrypt(`${header}..${signature}\n${text}`, encryptionKey);
}

/** Decrypts a code as somebody who has ENCRYPTION_KEY: the JWS in it. */
async function decrypt(code: string): Promise<string> {
  const key = await deriveTokenKey(decodeBase64(env.ENCRYPTION_KEY)!);
  const { plaintext } = await compactDecrypt(code, key.code);
  const [detached = "", payload = ""] = new TextDecoder()
    .decode(plaintext)
    .split("\n");
  return detached.replace("..", `.${base64url.encode(payload)}.`);
}

/** The content of a code that makes a login for the victim. */
async function claimsForVictim() {
  const claims = decodeJwt<Record<string, object>>(await decrypt(genuine));
  return {
    ...claims,
    login: { ...claims["login"], subject: "victim" },
    code_id: crypto.randomUUID(),
  };
}

async function sign(
  claims: object,
  key: CryptoKey | Uint8Array,
  header: Record<string, unknown>,
): Promise<string> {
  const { alg, ...more } = header;
  return new CompactSign(encoder.encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: String(alg), ...more })
    .sign(key);
}

/** The header of the JWS in a genuine code. */
async function signedHeader() {
  return decodeProtectedHeader(await decrypt(genuine));
}

function signingKey(jwk: JWK = privateKey) {
  return importJWK(jwk, "ES256") as Promise<CryptoKey>;
}

function unsigned(header: object, claims: object, signature = ""): string {
  const encode = (value: object) => base64url.encode(JSON.stringify(value));
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

/** JWSs that somebody can make without PRIVATE_KEY. */
const jwss: [string, () => Promise<string>][] = [
  [
    "a signature by a key of the thief's own",
    async () => {
      const { privateKey: own } = await generateKeyPair("ES256");
      return sign(await claimsForVictim(), own, await signedHeader());
    },
  ],
  [
    "a key of the thief's own in its header",
    async () => {
      const pair = await generateKeyPair("ES256", { extractable: true });
      const jwk = await exportJWK(pair.publicKey);
      const header = { ...(await signedHeader()), jwk };
      return sign(await claimsForVictim(), pair.privateKey, header);
    },
  ],
  [
    "the kid of a key that the server does not have",
    async () => {
      const { privateKey: own } = await generateKeyPair("ES256");
      const header = { ...(await signedHeader()), kid: "mine" };
      return sign(await claimsForVictim(), own, header);
    },
  ],
  [
    "alg none",
    async () =>
      unsigned(
        { ...(await signedHeader()), alg: "none" },
        await claimsForVictim(),
      ),
  ],
  [
    "alg none, and the signature of a genuine code",
    async () => {
      const [, , signature] = (await decrypt(genuine)).split(".");
      const header = { ...(await signedHeader()), alg: "none" };
      return unsigned(header, await claimsForVictim(), signature);
    },
  ],
  [
    "alg HS256, with the public key as the secret",
    async () => {
      const { x = "" } = privateKey;
      const header = { ...(await signedHeader()), alg: "HS256" };
      return sign(await claimsForVictim(), encoder.encode(x), header);
    },
  ],
  [
    "alg HS256, with ENCRYPTION_KEY as the secret",
    async () => {
      const header = { ...(await signedHeader()), alg: "HS256" };
      const secret = decodeBase64(env.ENCRYPTION_KEY)!;
      return sign(await claimsForVictim(), secret, header);
    },
  ],
  [
    "the signature of a genuine code",
    async () => {
      const [, , signature] = (await decrypt(genuine)).split(".");
      return unsigned(await signedHeader(), await claimsForVictim(), signature);
    },
  ],
  [
    "a whole access token",
    async () => (await server.login(client)).access_token,
  ],
  [
    "the header and signature of an access token",
    async () => {
      const { access_token } = await server.login(client);
      const [header, , signature] = access_token.split(".");
      const payload = JSON.stringify(await claimsForVictim());
      return `${header}.${base64url.encode(payload)}.${signature}`;
    },
  ],
  [
    "the signature of an access token",
    async () => {
      const { access_token } = await server.login(client);
      const [, , signature] = access_token.split(".");
      return unsigned(await signedHeader(), await claimsForVictim(), signature);
    },
  ],
];

/** Everything that somebody can put into a code without PRIVATE_KEY. */
const withoutPrivateKey: [string, () => Promise<string>][] = [
  ...jwss.map(([name, make]): [string, () => Promise<string>] => [
    name,
    async () => encryptJws(await make()),
  ]),
  [
    "no signature",
    async () => encrypt(JSON.stringify(await claimsForVictim())),
  ],
  [
    "a genuine JWS, and other claims beside it",
    async () => {
      const claims = JSON.stringify(await claimsForVictim());
      return encrypt(`${await decrypt(genuine)}\n${claims}`);
    },
  ],
  [
    "an access token, and other claims beside it",
    async () => {
      const { access_token } = await server.login(client);
      const claims = JSON.stringify(await claimsForVictim());
      return encrypt(`${access_token}\n${claims}`);
    },
  ],
  [
    "a whole access token as it stands",
    async () => encrypt((await server.login(client)).access_token),
  ],
  ["nothing in it", async () => encrypt("")],
  ["JSON that is not an object", async () => encrypt("null")],
  ["line breaks", async () => encrypt("\n\n")],
];

describe("ENCRYPTION_KEY alone makes no login", () => {
  it.each(withoutPrivateKey)("by a code with %s", async (_, make) => {
    expect(await refusal(await redeem(client, await make()))).toEqual(forged);
  });

  it("nor does it lengthen the life of a code, or change what it is for", async () => {
    const signed = await decrypt(genuine);
    const [header = "", , signature = ""] = signed.split(".");
    for (const change of [
      { exp: Math.floor(Date.now() / 1000) + 3600 },
      { code_id: crypto.randomUUID() },
      { code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cX" },
    ]) {
      const payload = JSON.stringify({ ...decodeJwt(signed), ...change });
      const code = await encryptJws(
        `${header}.${base64url.encode(payload)}.${signature}`,
      );
      expect(await refusal(await redeem(client, code))).toEqual(forged);
    }
  });
});

describe("a retired ENCRYPTION_KEY alone makes no login", () => {
  const newKey = crypto.getRandomValues(new Uint8Array(32)).toBase64();
  const rotated = serverWith({
    ENCRYPTION_KEY: `${newKey},${env.ENCRYPTION_KEY}`,
  });

  it.each(withoutPrivateKey)("by a code with %s", async (_, make) => {
    const response = await redeem(client, await make(), {}, rotated);
    expect(await refusal(response)).toEqual(forged);
  });
});

describe("PRIVATE_KEY alone makes no login", () => {
  it("by a code that is not encrypted", async () => {
    const code = await sign(
      await claimsForVictim(),
      await signingKey(),
      await signedHeader(),
    );
    expect(await refusal(await redeem(client, code))).toEqual(malformed);
  });

  it("by a code that is encrypted with another key, under the kid of ENCRYPTION_KEY", async () => {
    const signed = await sign(
      await claimsForVictim(),
      await signingKey(),
      await signedHeader(),
    );
    const other = crypto.getRandomValues(new Uint8Array(32)).toBase64();
    const code = await encryptJws(signed, other);
    expect(await refusal(await redeem(client, code))).toEqual(forged);
  });
});

describe("what PRIVATE_KEY has signed", () => {
  it("is a code only with the typ of a code", async () => {
    const header = await signedHeader();
    const outer = decodeProtectedHeader(genuine).typ;
    for (const typ of ["at+jwt", "JWT", "jwt", outer, undefined]) {
      const { typ: _, ...rest } = header;
      const signed = await sign(await claimsForVictim(), await signingKey(), {
        ...rest,
        ...(typ !== undefined && { typ }),
      });
      const code = await encryptJws(signed);
      expect(await refusal(await redeem(client, code))).toEqual(forged);
    }
    // What the other tests make would be good with both keys: it is the keys that are missing there.
    const both = await sign(
      await claimsForVictim(),
      await signingKey(),
      header,
    );
    const code = await encryptJws(both);
    const { access_token } = await expectTokens(await redeem(client, code));
    expect(decodeJwt(access_token).sub).toBe("victim");
  });

  it("is not an access token with the typ of a code", async () => {
    const confidential: TestClient = await server.makeClient();
    const { access_token } = await server.login(confidential);
    const claims = decodeJwt(access_token);
    const asked = async (token: string) =>
      (await server.about("/introspect", confidential, token)).json();
    const as = async (header: Record<string, unknown>) =>
      sign(claims, await signingKey(), header);
    expect(await asked(await as(decodeProtectedHeader(access_token)))).toEqual(
      expect.objectContaining({ active: true }),
    );
    const signed = await as(await signedHeader());
    expect(await asked(signed)).toEqual({ active: false });
    await server.about("/revoke", confidential, signed);
    expect(await asked(access_token)).toMatchObject({ active: true });
  });
});

describe("a rotation of PRIVATE_KEY", () => {
  async function newKey(): Promise<JWK> {
    const pair = await generateKeyPair("ES256", { extractable: true });
    return exportJWK(pair.privateKey);
  }

  const serverWithKeys = (...keys: JWK[]): TestServer =>
    serverWith({ PRIVATE_KEY: JSON.stringify({ keys }) });

  it("leaves a code on its way good while its key is in the set, and no longer", async () => {
    const key = await newKey();
    const before = serverWithKeys(privateKey);
    const rotated = serverWithKeys(key, privateKey);
    const code = await obtainCode(client, {}, undefined, before);
    const withoutOld = serverWithKeys(key);
    expect(await refusal(await redeem(client, code, {}, withoutOld))).toEqual(
      forged,
    );
    await expectTokens(await redeem(client, code, {}, rotated));
    const after = await obtainCode(client, {}, undefined, rotated);
    await expectTokens(await redeem(client, after, {}, withoutOld));
  });
});

describe("a code is signed by any kind of PRIVATE_KEY", () => {
  it.each(inject("testKeys").plain)("%s", async (_, PRIVATE_KEY, alg) => {
    const at = serverWith({ PRIVATE_KEY });
    const code = await obtainCode(client, {}, undefined, at);
    expect(decodeProtectedHeader(await decrypt(code))).toMatchObject({ alg });
    await expectTokens(await redeem(client, code, {}, at));
  });
});
