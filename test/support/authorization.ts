import { base64url } from "jose";
import { expect } from "vitest";
import {
  server,
  type TestClient,
  type TestServer,
  type Tokens,
} from "./server.ts";

/** Acts as the client, the browser and the sign-in page in the tests of the authorization code grant. */

export const REDIRECT_URI = "https://app.example.com/callback";
export const LOGIN_URL = "https://login.example.com/sign-in";

/** RFC 7636 appendix B. */
export const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
export const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

export type Parameters = Record<string, string | undefined> | string[][];

/** Makes a client that may use the authorization code grant, with one redirect URI. */
export function makeWebClient(
  metadata: Record<string, unknown> = {},
  to: TestServer = server,
): Promise<TestClient> {
  return to.makeClient({ redirect_uris: [REDIRECT_URI], ...metadata });
}

/** The query of a valid authorization request. `more` changes it; undefined leaves a parameter out. */
export function authorizationQuery(
  { client_id }: { client_id: string },
  more: Parameters = {},
): string {
  const base: Record<string, string | undefined> = {
    response_type: "code",
    client_id,
    redirect_uri: REDIRECT_URI,
    state: "xyz",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
  };
  const pairs = Array.isArray(more)
    ? [...Object.entries(base), ...more]
    : Object.entries({ ...base, ...more });
  return new URLSearchParams(
    pairs.flatMap(([name, value]) =>
      name === undefined || value === undefined ? [] : [[name, value]],
    ),
  ).toString();
}

export function authorize(
  client: { client_id: string },
  more: Parameters = {},
  to: TestServer = server,
): Promise<Response> {
  const query = authorizationQuery(client, more);
  return to.http(`/authorize?${query}`, { redirect: "manual" });
}

/** Reads the target of a redirect. */
export function location(response: Response): URL {
  expect(response.status).toBe(303);
  return new URL(response.headers.get("Location") ?? "");
}

/** Makes an authorization request. @returns the encrypted request that the sign-in page gets */
export async function requestAtLogin(
  client: { client_id: string },
  more: Parameters = {},
  to: TestServer = server,
): Promise<string> {
  const login = location(await authorize(client, more, to));
  expect(login.origin + login.pathname).toBe(LOGIN_URL);
  expect([...login.searchParams.keys()]).toEqual(["request"]);
  return login.searchParams.get("request") ?? "";
}

/** Sends the sign-in page's decision. @returns the URL that the browser goes back to */
export async function decide(
  request: string,
  decision: Record<string, unknown> = { subject: "alice" },
  to: TestServer = server,
): Promise<URL> {
  const { redirect_to } = await to.expectAdmin<{ redirect_to: string }>(
    "POST",
    "/authorizations",
    { request, ...decision },
  );
  return new URL(redirect_to);
}

/** Makes a code for a user who has signed in and allowed everything. */
export async function obtainCode(
  client: { client_id: string },
  more: Parameters = {},
  decision: Record<string, unknown> = { subject: "alice" },
  to: TestServer = server,
): Promise<string> {
  const request = await requestAtLogin(client, more, to);
  const code = (await decide(request, decision, to)).searchParams.get("code");
  expect(code).not.toBeNull();
  return code ?? "";
}

/** Sends a token request with a code, as most libraries do. */
export function redeem(
  client: { client_id: string; client_secret?: string },
  code: string,
  more: Record<string, string | undefined> = {},
  to: TestServer = server,
): Promise<Response> {
  const form = {
    grant_type: "authorization_code",
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: VERIFIER,
    client_id: client.client_id,
    client_secret: client.client_secret,
    ...more,
  };
  return to.token(
    Object.entries(form).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
}

/**
 * Finds what is wrong with an encrypted JWT that this server did not make. It is forged if it has the form of
 * RFC 7516 section 3.1 in its only spelling, and malformed if not.
 */
export function faultOf(jwe: string): "malformed" | "forged" {
  const parts = jwe.split(".").map(bytesOf);
  const [header, , nonce, , tag] = parts;
  const hasForm =
    parts.length === 5 &&
    !parts.includes(undefined) &&
    isOurHeader(header) &&
    nonce?.length === 12 &&
    tag?.length === 16;
  return hasForm ? "forged" : "malformed";
}

function isOurHeader(bytes: Uint8Array | undefined): boolean {
  try {
    const { alg, enc, crit } = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes),
    ) as Record<string, unknown>;
    return alg === "A256KW" && enc === "A256GCM" && crit === undefined;
  } catch {
    return false;
  }
}

/** Decodes base64url. Undefined if the text is not the only spelling of its bytes. */
function bytesOf(text: string): Uint8Array | undefined {
  try {
    const bytes = base64url.decode(text);
    return base64url.encode(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

export async function expectTokens(response: Response): Promise<Tokens> {
  if (response.status !== 200) throw new Error(await response.text());
  return response.json<Tokens>();
}
