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
  decide,
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  refusal,
  server,
  serverWith,
  type TestServer,
} from "../support/server.ts";

/**
 * The server copies the login of an authorization request into a code, which it signs. So the request is
 * signed with PRIVATE_KEY inside the encryption, too, and a thief with one of the keys adds no attribute.
 */

type Kind = "request" | "code";

const encoder = new TextEncoder();
const seconds = () => Math.floor(Date.now() / 1000);

let genuine: string;
let client: { client_id: string };

beforeAll(async () => {
  await server.makeScopes("read");
  const { client_id } = await makeWebClient({
    token_endpoint_auth_method: "none",
    scope: "read",
  });
  client = { client_id };
  genuine = await requestAtLogin(client);
});

/** Encrypts a content as somebody who has ENCRYPTION_KEY, with the header of a genuine JWT of a kind. */
async function encrypt(
  content: string,
  kind: Kind = "request",
  of = genuine,
): Promise<string> {
  const key = await deriveTokenKey(decodeBase64(env.ENCRYPTION_KEY)!);
  const { alg, enc, ...header } = decodeProtectedHeader(of);
  return new CompactEncrypt(encoder.encode(content))
    .setProtectedHeader({ ...header, alg: String(alg), enc: String(enc) })
    .encrypt(key[kind]);
}

/** Decrypts a JWT as somebody who has ENCRYPTION_KEY: its content. */
async function decrypt(jwt: string, kind: Kind = "request"): Promise<string> {
  const key = await deriveTokenKey(decodeBase64(env.ENCRYPTION_KEY)!);
  const { plaintext } = await compactDecrypt(jwt, key[kind]);
  return new TextDecoder().decode(plaintext);
}

async function claimsOf(jwt: string, kind?: Kind) {
  const payload = (await decrypt(jwt, kind)).split("\n").at(-1) ?? "";
  return JSON.parse(payload) as { login: object; exp: number };
}

async function headerOf(jwt: string, kind?: Kind) {
  const [detached = ""] = (await decrypt(jwt, kind)).split("\n");
  return decodeProtectedHeader(detached);
}

/** Signs claims as somebody who has PRIVATE_KEY. @returns the content of an encrypted JWT */
async function sign(claims: object, header: object): Promise<string> {
  const key = await importJWK(JSON.parse(env.PRIVATE_KEY) as JWK, "ES256");
  const payload = JSON.stringify(claims);
  const jws = await new CompactSign(encoder.encode(payload))
    .setProtectedHeader({ ...header, alg: "ES256" })
    .sign(key);
  const [protectedHeader, , signature] = jws.split(".");
  return `${protectedHeader}..${signature}\n${payload}`;
}

/** The reasons with which both operations of the sign-in page refuse a request. */
async function refused(request: string, at: TestServer = server) {
  const path = `/authorizations?${new URLSearchParams({ request }).toString()}`;
  const decision = { request, subject: "alice" };
  const responses = [
    await at.admin("GET", path),
    await at.admin("POST", "/authorizations", decision),
  ];
  return responses.map(reasonOf);
}

const forged = ["authorization_request_forged", "authorization_request_forged"];

/** What a thief wants to change in a request, from its claims. */
const changes: [string, (claims: { login: object }) => object][] = [
  ["nothing changed", (claims) => claims],
  [
    "a login that says it is the client's own",
    (claims) => ({ ...claims, login: { ...claims.login, sub_type: "client" } }),
  ],
  [
    "a login without its memory of resources",
    ({ login, ...claims }) => ({
      ...claims,
      login: { ...login, choosable_resources: undefined },
    }),
  ],
  ["an expiry that is far away", (claims) => ({ ...claims, exp: 99999999999 })],
];

const contents: [string, (payload: string) => string | Promise<string>][] = [
  ["no signature", (payload) => payload],
  ["an empty signature", (payload) => `..\n${payload}`],
  [
    "the signature of the genuine request",
    async (payload) => {
      const [detached] = (await decrypt(genuine)).split("\n");
      return `${detached}\n${payload} `;
    },
  ],
  [
    "the signature of an access token",
    async (payload) => {
      const { access_token } = await server.login(client);
      const [header, , signature] = access_token.split(".");
      return `${header}..${signature}\n${payload}`;
    },
  ],
  [
    "the signature of a code",
    async (payload) => {
      const code = await obtainCode(client);
      return `${(await decrypt(code, "code")).split("\n")[0]}\n${payload}`;
    },
  ],
];

const forgeries = changes.flatMap(([change, changed]) =>
  contents.map(([content, make]) => ({
    name: `${change}, and ${content}`,
    make: async () =>
      encrypt(await make(JSON.stringify(changed(await claimsOf(genuine))))),
  })),
);

describe("ENCRYPTION_KEY alone makes no authorization request", () => {
  it.each(forgeries)("with $name", async ({ make }) => {
    expect(await refused(await make())).toEqual(forged);
  });
});

describe("a retired ENCRYPTION_KEY alone makes no authorization request", () => {
  const newKey = crypto.getRandomValues(new Uint8Array(32)).toBase64();
  const rotated = serverWith({
    ENCRYPTION_KEY: `${newKey},${env.ENCRYPTION_KEY}`,
  });

  it.each(forgeries)("with $name", async ({ make }) => {
    expect(await refused(await make(), rotated)).toEqual(forged);
  });
});

describe("PRIVATE_KEY alone makes no authorization request", () => {
  it("that is not encrypted", async () => {
    const claims = await claimsOf(genuine);
    const signed = await sign(claims, await headerOf(genuine));
    const [detached = "", payload = ""] = signed.split("\n");
    const jws = detached.replace("..", `.${base64url.encode(payload)}.`);
    expect(await refused(jws)).toEqual([
      "authorization_request_malformed",
      "authorization_request_malformed",
    ]);
  });
});

describe("what PRIVATE_KEY has signed", () => {
  it("is a request only with the typ of a request", async () => {
    const claims = await claimsOf(genuine);
    const { typ: own, ...header } = await headerOf(genuine);
    const code = await obtainCode(client);
    const ofCode = (await headerOf(code, "code")).typ;
    const outer = decodeProtectedHeader(genuine).typ;
    expect(new Set([own, ofCode, outer, "at+jwt"]).size).toBe(4);
    for (const typ of [ofCode, outer, "at+jwt", "JWT", undefined]) {
      const more = typ === undefined ? {} : { typ };
      const signed = await sign(claims, { ...header, ...more });
      expect(await refused(await encrypt(signed))).toEqual(forged);
    }
    // With both keys it is good: so it is the keys that are missing in the other tests.
    const both = await encrypt(await sign(claims, { ...header, typ: own }));
    expect((await decide(both)).searchParams.has("code")).toBe(true);
  });

  it("is neither a code nor an access token with the typ of a request", async () => {
    const { typ } = await headerOf(genuine);
    const code = await obtainCode(client);
    const claims = await claimsOf(code, "code");
    const header = await headerOf(code, "code");
    const asCode = async (more: object) =>
      encrypt(await sign(claims, { ...header, ...more }), "code", code);
    expect(await refusal(await redeem(client, await asCode({ typ })))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_forged",
    ]);
    await expectTokens(await redeem(client, await asCode({})));

    const confidential = await server.makeClient();
    const { access_token } = await server.login(confidential);
    const signed = await sign(decodeJwt(access_token), { ...header, typ });
    const [detached = "", payload = ""] = signed.split("\n");
    const token = detached.replace("..", `.${base64url.encode(payload)}.`);
    const asked = await server.about("/introspect", confidential, token);
    expect(await asked.json()).toEqual({ active: false });
  });

  it("lives no longer than a request and a code do, and a minute of clock skew", async () => {
    const code = await obtainCode(client);
    const [ofRequest, ofCode] = [
      await claimsOf(genuine),
      await claimsOf(code, "code"),
    ];
    const request = async (exp: number) =>
      encrypt(await sign({ ...ofRequest, exp }, await headerOf(genuine)));
    const signedCode = async (exp: number) => {
      const header = await headerOf(code, "code");
      return encrypt(await sign({ ...ofCode, exp }, header), "code", code);
    };
    for (const late of [seconds() + 30 * 60 + 120, 99999999999])
      expect(await refused(await request(late))).toEqual(forged);
    for (const late of [seconds() + 60 + 120, 99999999999])
      expect(
        await refusal(await redeem(client, await signedCode(late))),
      ).toEqual([400, "invalid_grant", "authorization_code_forged"]);
    const inTime = await request(seconds() + 30 * 60 + 60);
    expect((await decide(inTime)).searchParams.has("code")).toBe(true);
    const codeInTime = await signedCode(seconds() + 60 + 60);
    await expectTokens(await redeem(client, codeInTime));
  });
});

describe("a rotation of PRIVATE_KEY", () => {
  it("leaves a request on its way good while its key is in the set, and no longer", async () => {
    const old = JSON.parse(env.PRIVATE_KEY) as JWK;
    const pair = await generateKeyPair("ES256", { extractable: true });
    const key = await exportJWK(pair.privateKey);
    const keys = (...set: JWK[]) =>
      serverWith({ PRIVATE_KEY: JSON.stringify({ keys: set }) });
    expect(await refused(genuine, keys(key))).toEqual(forged);
    const back = await decide(genuine, { subject: "alice" }, keys(key, old));
    expect(back.searchParams.has("code")).toBe(true);
  });
});

describe("a request is signed by any kind of PRIVATE_KEY", () => {
  it.each(inject("testKeys").plain)("%s", async (_, PRIVATE_KEY, alg) => {
    const at = serverWith({ PRIVATE_KEY });
    const request = await requestAtLogin(client, {}, at);
    expect(await headerOf(request)).toMatchObject({ alg });
    const back = await decide(request, { subject: "alice" }, at);
    expect(back.searchParams.has("code")).toBe(true);
  });
});
