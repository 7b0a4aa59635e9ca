import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { grantTypes } from "../../src/grants/index.ts";
import { ISSUER, server, serverWith } from "../support/server.ts";

/** Tests the server metadata (RFC 8414). */

const assertionAlgorithms = [
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
];

describe("the metadata document", () => {
  it("lists what is turned on, and nothing else", async () => {
    await server.makeScopes("read", "write");
    const response = await server.http(
      "/.well-known/oauth-authorization-server",
    );
    expect(response.status).toBe(200);
    expect(response.headers.get("Content-Type")).toMatch(/^application\/json/);
    expect(response.headers.get("Cache-Control")).toBe("public, max-age=300");
    expect(response.headers.get("Pragma")).toBeNull();
    expect(await response.json()).toEqual({
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/access_token`,
      token_endpoint_auth_methods_supported: [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
      ],
      token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
      grant_types_supported: [
        "authorization_code",
        "client_credentials",
        "refresh_token",
      ],
      dpop_signing_alg_values_supported: [
        "ES256",
        "ES384",
        "EdDSA",
        "Ed25519",
        "PS256",
        "RS256",
      ],
      refresh_token_expiration_types_supported: [
        "authorization",
        "token_timeout",
      ],
      authorization_endpoint: `${ISSUER}/authorize`,
      response_modes_supported: ["query"],
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true,
      jwks_uri: `${ISSUER}/.well-known/jwks.json`,
      revocation_endpoint: `${ISSUER}/revoke`,
      revocation_endpoint_auth_methods_supported: [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
      ],
      revocation_endpoint_auth_signing_alg_values_supported:
        assertionAlgorithms,
      introspection_endpoint: `${ISSUER}/introspect`,
      introspection_endpoint_auth_methods_supported: [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
      ],
      introspection_endpoint_auth_signing_alg_values_supported:
        assertionAlgorithms,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      scopes_supported: ["read", "write"],
    });
  });

  it("is the same at the path of OpenID Connect Discovery, to the byte and in its headers", async () => {
    for (const variables of [
      {},
      { LOGIN_URL: "" },
      { PASSPORT_TOKEN_ENDPOINT: "on" },
      { CORS_ORIGINS: "https://app.example.com" },
      { ISSUER: "https://login.example.org" },
    ])
      for (const method of ["GET", "HEAD"]) {
        const at = serverWith(variables);
        const [one, other] = await Promise.all(
          ["oauth-authorization-server", "openid-configuration"].map(
            async (name) => {
              const response = await at.http(`/.well-known/${name}`, {
                method,
                headers: { Origin: "https://app.example.com" },
              });
              const headers = new Headers(response.headers);
              headers.delete("X-Request-Id");
              return {
                status: response.status,
                headers: [...headers],
                body: await response.text(),
              };
            },
          ),
        );
        expect(one?.status).toBe(200);
        expect(other).toEqual(one);
        expect(one?.body.length === 0).toBe(method === "HEAD");
      }
  });

  it("claims no OpenID Connect at either path", async () => {
    for (const name of ["oauth-authorization-server", "openid-configuration"]) {
      const response = await server.http(`/.well-known/${name}`);
      const metadata = await response.json<Record<string, unknown>>();
      const claims = Object.keys(metadata).filter((member) =>
        /userinfo|id_token|end_session|claim|registration|acr|request_/.test(
          member,
        ),
      );
      expect(claims).toEqual([]);
    }
  });

  it("says that a subject is the same for every client, which Spring Security's client wants to read", async () => {
    for (const name of ["oauth-authorization-server", "openid-configuration"]) {
      const response = await server.http(`/.well-known/${name}`);
      expect(await response.json()).toMatchObject({
        subject_types_supported: ["public"],
      });
    }
    const subjects = new Set<unknown>();
    for (let count = 0; count < 2; count++) {
      const { client_id } = await server.makeClient();
      const { access_token } = await server.login({ client_id });
      subjects.add(decodeJwt(access_token).sub);
    }
    expect([...subjects]).toEqual(["alice"]);
  });

  it("takes its grant types from the registry", async () => {
    const response = await server.http(
      "/.well-known/oauth-authorization-server",
    );
    const { grant_types_supported } = await response.json<{
      grant_types_supported: string[];
    }>();
    expect(grant_types_supported).toEqual(grantTypes.map(({ type }) => type));
  });

  it("leaves out the authorization endpoint and its grant type without LOGIN_URL", async () => {
    const withoutLogin = serverWith({ LOGIN_URL: "" });
    const response = await withoutLogin.http(
      "/.well-known/oauth-authorization-server",
    );
    const metadata = await response.json<Record<string, unknown>>();
    expect(metadata).toMatchObject({
      grant_types_supported: ["client_credentials", "refresh_token"],
      // Required by RFC 8414 section 2.
      response_types_supported: [],
    });
    for (const name of [
      "authorization_endpoint",
      "response_modes_supported",
      "code_challenge_methods_supported",
      "authorization_response_iss_parameter_supported",
    ])
      expect(metadata).not.toHaveProperty(name);
  });

  it("names the configured issuer, with which every URL begins", async () => {
    const elsewhere = serverWith({ ISSUER: "https://login.example.org" });
    const response = await elsewhere.http(
      "/.well-known/oauth-authorization-server",
    );
    const metadata = await response.json<Record<string, unknown>>();
    const urls = Object.values(metadata).filter((value) =>
      String(value).startsWith("http"),
    );
    expect(urls).toHaveLength(6);
    for (const url of urls)
      expect(url).toMatch(/^https:\/\/login\.example\.org(\/|$)/);
  });
});
