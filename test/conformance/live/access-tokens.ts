import { createHmac, generateKeyPairSync } from "node:crypto";
import {
  base64url,
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWK,
  type JWTPayload,
  SignJWT,
} from "jose";
import { inject } from "vitest";
import type { Tokens } from "../../support/server.ts";
import { ISSUER, login, makeClient } from "./server.ts";

/** Access tokens for the APIs under test: good ones of the server, and forgeries. */

/** The API under test. */
export const AUDIENCE = "https://api.example.com/notes";

const OTHER_AUDIENCE = "https://api.example.com/other";

/** Makes a login of alice. `grant` changes it. @returns its tokens for the API under test */
export async function tokensForApi(
  grant: Record<string, unknown> = {},
): Promise<Tokens> {
  const client = await makeClient({ resources: [AUDIENCE, OTHER_AUDIENCE] });
  return login(client, { scope: "read", resource: AUDIENCE, ...grant });
}

const privateKey = JSON.parse(inject("liveServer").privateKey) as JWK;

/** Makes a token that differs from a good one in these parameters and claims, with the server's own key. */
async function signed(
  token: string,
  change: { typ?: string; claims?: JWTPayload; key?: JWK },
): Promise<string> {
  const { typ, claims, key = privateKey } = change;
  const header = { ...decodeProtectedHeader(token), alg: "ES256" };
  return new SignJWT({ ...decodeJwt(token), ...claims })
    .setProtectedHeader({ ...header, ...(typ !== undefined && { typ }) })
    .sign(await importJWK(key, "ES256"));
}

/** Puts a token together. */
function token(header: object, payload: string, signature: string): string {
  return `${base64url.encode(JSON.stringify(header))}.${payload}.${signature}`;
}

async function publishedKey(): Promise<JWK> {
  const response = await fetch(`${ISSUER}/.well-known/jwks.json`);
  const { keys } = (await response.json()) as { keys: JWK[] };
  return keys[0] ?? {};
}

/** Credentials that an API must refuse, made from a good login. */
export const badTokens: [
  name: string,
  make: (tokens: Tokens) => Promise<string>,
][] = [
  [
    "a token that has expired",
    async ({ access_token }) => {
      const exp = Math.floor(Date.now() / 1000) - 60;
      return signed(access_token, { claims: { exp } });
    },
  ],
  [
    "a token for another API",
    async () => {
      const { access_token } = await tokensForApi({ resource: OTHER_AUDIENCE });
      return access_token;
    },
  ],
  [
    "a token of another issuer",
    async ({ access_token }) =>
      signed(access_token, { claims: { iss: "https://evil.example.com" } }),
  ],
  [
    "a token of another kind",
    async ({ access_token }) => signed(access_token, { typ: "JWT" }),
  ],
  [
    "a token with a claim that was changed after it was signed",
    async ({ access_token }) => {
      const [, , signature = ""] = access_token.split(".");
      const claims = { ...decodeJwt(access_token), sub: "mallory" };
      const payload = base64url.encode(JSON.stringify(claims));
      return token(decodeProtectedHeader(access_token), payload, signature);
    },
  ],
  [
    "a token that is signed with another key",
    async ({ access_token }) => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const key = privateKey.export({ format: "jwk" });
      return signed(access_token, { key });
    },
  ],
  [
    "a token without a signature, of alg none",
    async ({ access_token }) => {
      const [, payload = ""] = access_token.split(".");
      const header = { ...decodeProtectedHeader(access_token), alg: "none" };
      return token(header, payload, "");
    },
  ],
  [
    "a token whose signature is an HMAC with the public key",
    async ({ access_token }) => {
      const [, payload = ""] = access_token.split(".");
      const header = { ...decodeProtectedHeader(access_token), alg: "HS256" };
      const input = token(header, payload, "").slice(0, -1);
      const secret = JSON.stringify(await publishedKey());
      const hmac = createHmac("sha256", secret).update(input);
      return token(header, payload, hmac.digest("base64url"));
    },
  ],
  ["a refresh token", async ({ refresh_token }) => refresh_token],
];
