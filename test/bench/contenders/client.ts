import {
  createRemoteJWKSet,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import { request } from "undici";
import type { BenchClient } from "../contender.ts";

/** Steps that the clients of several contenders share, outside of the measurements. */

type Json = Readonly<Record<string, unknown>>;

/** Sends a request that must succeed. @returns the JSON of the answer */
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
  // A resource server may send an empty answer.
  return JSON.parse(text || "{}") as Json;
}

/** Makes a login at an endpoint that the server has for the benchmark only. @returns its refresh token */
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

/** Verifies JWT access tokens with the server's published keys, as a resource server does. */
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
