import { proof, type ProofClaims, type ProofKey } from "./dpop.ts";
import { ISSUER, server, TestServer, type Tokens } from "./server.ts";

export const TOKEN_URL = `${ISSUER}/access_token`;

/** Makes a proof for the token endpoint. `claims` changes it; undefined leaves a claim out. */
export function proofOf(
  key: ProofKey,
  claims: Partial<ProofClaims> = {},
): Promise<string> {
  return proof(key, { htm: "POST", htu: TOKEN_URL, ...claims });
}

/**
 * Makes the same server for a client that sends a DPoP proof with each token request.
 *
 * @param key a fresh proof of it is made for each request. A string is sent as it is
 */
export function proving(
  key: ProofKey | string,
  to: TestServer = server,
  claims: Partial<ProofClaims> = {},
): TestServer {
  return new TestServer(async (request) => {
    const { origin, pathname } = new URL(request.url);
    if (origin + pathname === TOKEN_URL)
      request.headers.set(
        "DPoP",
        typeof key === "string" ? key : await proofOf(key, claims),
      );
    return to.fetch(request);
  });
}

/**
 * Reads the grant of tokens, as an administrator sees it: `cnf` has the keys that it is bound to. Undefined: it has
 * ended.
 */
export async function grantOf({
  access_token,
}: Tokens): Promise<Record<string, unknown> | undefined> {
  const { grant } = await server.expectAdmin<{
    grant?: Record<string, unknown>;
  }>("POST", "/introspect", { token: access_token });
  return grant;
}
