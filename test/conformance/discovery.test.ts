import type { JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { ISSUER, server } from "../support/server.ts";
import { openIdScopes } from "./person.ts";

/**
 * Tests that the metadata has what libraries need of an OpenID provider, also those that no test here can run. The list
 * of each is what its source reads and refuses to go on without.
 */

/** What OpenID Connect Discovery section 3 requires of every provider with a token endpoint. */
const required = [
  "issuer",
  "authorization_endpoint",
  "token_endpoint",
  "jwks_uri",
  "response_types_supported",
  "subject_types_supported",
  "id_token_signing_alg_values_supported",
];

const libraries: [string, needs: string[]][] = [
  ["AppAuth for Android and iOS", [...required, "end_session_endpoint"]],
  ["ASP.NET Core", [...required, "userinfo_endpoint", "end_session_endpoint"]],
  [
    "Auth.js, for which there must be a user info endpoint",
    ["userinfo_endpoint"],
  ],
  [
    "Better Auth, which verifies ID tokens by issuer, keys and algorithms",
    [...required, "userinfo_endpoint", "end_session_endpoint"],
  ],
  [
    "Spring Security, which takes its scopes and client authentication from here",
    [
      ...required,
      "userinfo_endpoint",
      "end_session_endpoint",
      "grant_types_supported",
      "scopes_supported",
      "token_endpoint_auth_methods_supported",
    ],
  ],
];

let metadata: Record<string, unknown>;

beforeAll(async () => {
  await server.makeScopes(...openIdScopes);
  const response = await server.http("/.well-known/openid-configuration");
  metadata = await response.json();
});

describe("the metadata", () => {
  it.each(libraries)("has what is needed by %s", (_, needs) => {
    expect(Object.keys(metadata)).toEqual(expect.arrayContaining(needs));
  });

  it("has https endpoints of the issuer, each of which answers", async () => {
    const endpoints = Object.entries(metadata).filter(
      ([name]) => name.endsWith("_endpoint") || name === "jwks_uri",
    );
    expect(endpoints.length).toBeGreaterThanOrEqual(7);
    for (const [name, url] of endpoints) {
      const { origin, pathname } = new URL(String(url));
      expect(origin).toBe(ISSUER);
      const { status } = await server.http(pathname);
      expect([name, status]).not.toEqual([name, 404]);
    }
  });

  it("leads to a public key for every algorithm of ID tokens, and to no private one", async () => {
    const response = await server.http("/.well-known/jwks.json");
    const { keys } = await response.json<{ keys: JWK[] }>();
    for (const alg of metadata[
      "id_token_signing_alg_values_supported"
    ] as string[])
      expect(keys).toContainEqual(
        expect.objectContaining({ alg, use: "sig", kid: expect.any(String) }),
      );
    expect(keys.filter((key) => "d" in key)).toEqual([]);
  });
});
