import { createHash, randomBytes } from "node:crypto";
import { inject } from "vitest";
import type { TestClient, Tokens } from "../../support/server.ts";

/** The local server that `setup.ts` started, as its operator uses it. The libraries get only its address. */

const { url, adminToken } = inject("liveServer");

/** The issuer, which is the address of the server. */
export const ISSUER = url;

/** A redirect URI at which nobody listens. The browser stops there. */
export const REDIRECT_URI = "https://app.example.com/callback";

/** Calls the admin API and expects success. */
export async function admin<T>(
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const response = await fetch(`${url}/admin${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${adminToken}`,
      "Content-Type": "application/json",
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return JSON.parse(text) as T;
}

/** Makes a client with a new id that may have the scopes read and write, and sign users in. */
export function makeClient(
  metadata: Record<string, unknown> = {},
): Promise<TestClient> {
  return admin("POST", "/clients", {
    scope: "read write",
    redirect_uris: [REDIRECT_URI],
    ...metadata,
  });
}

/** Makes a family. @returns its first tokens */
export function login(
  { client_id }: { client_id: string },
  grant: Record<string, unknown> = {},
): Promise<Tokens> {
  return admin("POST", "/grants", { client_id, subject: "alice", ...grant });
}

/** Decides an authorization request as a login does. @returns the URL that the browser goes back to */
export async function decide(
  request: string,
  decision: Record<string, unknown>,
): Promise<string> {
  const body = { request, ...decision };
  const { redirect_to } = await admin<{ redirect_to: string }>(
    "POST",
    "/authorizations",
    body,
  );
  return redirect_to;
}

/** Sends a refresh without a library. @returns the error code, or undefined for a success */
export async function refreshError(
  { client_id, client_secret }: { client_id: string; client_secret?: string },
  refresh_token: string,
): Promise<string | undefined> {
  const response = await fetch(`${url}/access_token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token,
      client_id,
      ...(client_secret !== undefined && { client_secret }),
    }),
  });
  const { error } = (await response.json()) as { error?: string };
  return error;
}

/** Makes a verifier and its challenge (RFC 7636 section 4), for libraries that leave PKCE to their user. */
export function newPkce() {
  const code_verifier = randomBytes(32).toString("base64url");
  const digest = createHash("sha256").update(code_verifier).digest();
  return {
    verifier: { code_verifier },
    challenge: {
      code_challenge: digest.toString("base64url"),
      code_challenge_method: "S256",
    },
  };
}
