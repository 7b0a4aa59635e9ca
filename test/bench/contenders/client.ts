import {
  createRemoteJWKSet,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import { request } from "undici";
import type { BenchClient } from "../contender.ts";

/** What clients of several contenders do alike, outside of what is measured. */

type Json = Readonly<Record<string, unknown>>;

/** A request that has to succeed. @returns the JSON that is answered */
export async function call(
  method: "GET" | "POST" | "PUT",
  url: string,
  json?: Json,
  headers: Record<string, string> = {},
): Promise<Json> {
  const { statusCode, body } = await request(url, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: json ? JSON.stringify(json) : null,
  });
  const text = await body.text();
  if (statusCode >= 300) throw new Error(`${url}: ${statusCode} ${text}`);
  // The answer of a resource server may be empty.
  return JSON.parse(text || "{}") as Json;
}

/** A login at a server that has an endpoint for it, for the benchmark only. */
export async function login(
  url: string,
  json?: Json,
  headers?: Record<string, string>,
): Promise<string> {
  const answer = await call("POST", url, json, headers);
  if (typeof answer.refresh_token !== "string")
    throw new Error(`${url}: no refresh token`);
  return answer.refresh_token;
}

/** Access tokens that a resource server verifies by the server's published keys. */
export function verifiedBy(
  jwksUrl: string,
  { typ, issuer, audience }: Record<"typ" | "issuer" | "audience", string>,
): BenchClient["verify"] {
  const keys: JWTVerifyGetKey = createRemoteJWKSet(new URL(jwksUrl));
  const options: JWTVerifyOptions = {
    algorithms: ["ES256"],
    typ,
    issuer,
    audience,
    requiredClaims: ["exp"],
  };
  return async (accessToken) => {
    await jwtVerify(accessToken, keys, options);
  };
}
