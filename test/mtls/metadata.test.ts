import * as oauth from "oauth4webapi";
import { describe, expect, it } from "vitest";
import { app, withCertificate } from "../support/certificates.ts";
import { ISSUER, server as off, serverWith } from "../support/server.ts";

/** Tests what the server metadata says about client certificates (RFC 8705 sections 2.1.1, 2.2.1, 3.3 and 5). */

const path = "/.well-known/oauth-authorization-server";
const origin = "https://mtls.auth.example.com";
const methods = ["tls_client_auth", "self_signed_tls_client_auth"];

type Metadata = Record<string, unknown>;

describe("the metadata", () => {
  it("does not mention certificates while CLIENT_CERTIFICATES is off", async () => {
    const text = await (await off.http(path)).text();
    expect(text).not.toMatch(/tls/);
  });

  it("lists the methods and the bound tokens while it is on", async () => {
    const on = serverWith({ CLIENT_CERTIFICATES: "on" });
    const metadata = await (await on.http(path)).json<Metadata>();
    for (const endpoint of ["token", "revocation", "introspection"])
      expect(metadata[`${endpoint}_endpoint_auth_methods_supported`]).toEqual(
        expect.arrayContaining(methods),
      );
    expect(metadata["tls_client_certificate_bound_access_tokens"]).toBe(true);
    expect(metadata).not.toHaveProperty("mtls_endpoint_aliases");
  });

  it("lists the endpoints of MTLS_ENDPOINT_ORIGIN, and ALLOWED_HOSTS lets requests to them in", async () => {
    const on = serverWith({
      CLIENT_CERTIFICATES: "on",
      MTLS_ENDPOINT_ORIGIN: origin,
      ALLOWED_HOSTS: "auth.example.com,mtls.auth.example.com",
    });
    for (const document of [path, "/.well-known/openid-configuration"]) {
      const metadata = await (await on.http(document)).json<Metadata>();
      expect(metadata["mtls_endpoint_aliases"]).toEqual({
        token_endpoint: `${origin}/access_token`,
        revocation_endpoint: `${origin}/revoke`,
        introspection_endpoint: `${origin}/introspect`,
      });
    }
    const form = { method: "POST", body: new URLSearchParams() };
    for (const host of [origin, "https://other.example.com"]) {
      const { hostname } = new URL(host);
      const headers = { Host: hostname };
      const request = new Request(`${host}/access_token`, { ...form, headers });
      const response = await on.fetch(request);
      expect([hostname, response.status]).toEqual([
        hostname,
        host === origin ? 400 : 404,
      ]);
    }
  });

  it("leads a client library to the second host, where its certificate authenticates it", async () => {
    const on = serverWith({
      CLIENT_CERTIFICATES: "on",
      MTLS_ENDPOINT_ORIGIN: origin,
    });
    const { client_id } = await on.makeClient({
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_subject_dn: app.subject,
      tls_client_certificate_bound_access_tokens: true,
      grant_types: ["client_credentials"],
    });
    const server = await oauth.processDiscoveryResponse(
      new URL(ISSUER),
      await on.http(path),
    );
    const client = { client_id, use_mtls_endpoint_aliases: true };
    const edge = withCertificate(on, app);
    const urls: string[] = [];
    const options = {
      [oauth.customFetch]: (url: string, init: RequestInit) => {
        urls.push(url);
        return edge.fetch(new Request(url, init));
      },
    };
    const { access_token } = await oauth.processClientCredentialsResponse(
      server,
      client,
      await oauth.clientCredentialsGrantRequest(
        server,
        client,
        oauth.TlsClientAuth(),
        {},
        options,
      ),
    );
    const active = await oauth.processIntrospectionResponse(
      server,
      client,
      await oauth.introspectionRequest(
        server,
        client,
        oauth.TlsClientAuth(),
        access_token,
        options,
      ),
    );
    expect(urls).toEqual([`${origin}/access_token`, `${origin}/introspect`]);
    expect(active).toMatchObject({
      active: true,
      iss: ISSUER,
      cnf: { "x5t#S256": app.thumbprint },
    });
  });
});
