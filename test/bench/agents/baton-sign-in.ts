import { createHash, randomBytes } from "node:crypto";
import { request } from "undici";
import type { Running } from "./baton.ts";
import type { Prove } from "./proofs.ts";

export const LOGIN_URL = "https://login.example/";
export const REDIRECT_URI = "http://127.0.0.1/callback";

/**
 * Signs alice in by the authorization code flow, because a login is bound to the key of the request that redeems its
 * code (RFC 9449 section 5).
 *
 * @returns the first refresh token
 */
export async function signInWithKey(
  { url, admin }: Running,
  {
    clientId,
    prove,
    headers,
    time,
  }: {
    clientId: string;
    prove: Prove;
    headers: Record<string, string>;
    time: number;
  },
): Promise<string> {
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: "code",
    redirect_uri: REDIRECT_URI,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    scope: "read",
  }).toString();
  const toLogin = await request(`${url}/authorize?${query}`, { headers });
  await toLogin.body.dump();
  const atLogin = new URL(String(toLogin.headers.location));
  const decision = {
    request: atLogin.searchParams.get("request"),
    subject: "alice",
  };
  const { redirect_to } = await admin(
    "POST",
    "/authorizations",
    decision,
    headers,
  );
  const { searchParams } = new URL(String(redirect_to));
  const proof = await prove("holder", time);
  const { statusCode, body } = await request(`${url}/access_token`, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      ...headers,
      ...proof.headers,
    },
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: clientId,
      redirect_uri: REDIRECT_URI,
      code: searchParams.get("code") ?? "",
      code_verifier: verifier,
    }).toString(),
  });
  const text = await body.text();
  const answer = JSON.parse(text) as Record<string, unknown>;
  // Without a key, the columns of this row would be those of another client.
  if (statusCode !== 200 || answer.token_type !== "DPoP")
    throw new Error(`No login that is bound to a key: ${statusCode} ${text}`);
  return String(answer.refresh_token);
}
