import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  app,
  described,
  other,
  placeholder,
  registeredKey,
  renewed,
  SELF_SIGNED,
  selfa,
  selfb,
  type TestCertificate,
  through,
  withCertificate,
} from "../support/certificates.ts";
import { KeySite } from "../support/key-site.ts";
import {
  basic,
  refusal,
  server as off,
  serverWith,
  type TestServer,
} from "../support/server.ts";

/** Tests the authentication of clients by certificate (RFC 8705 section 2), with a stand-in for Cloudflare's edge. */

const server = serverWith({ CLIENT_CERTIFICATES: "on" });

interface Id {
  client_id: string;
}

/** A client that gets tokens for itself and may refresh. */
async function makeClient(metadata: Record<string, unknown>): Promise<Id> {
  const { client_id } = await server.makeClient({
    grant_types: ["refresh_token", "client_credentials"],
    scope: "read",
    ...metadata,
  });
  return { client_id };
}

const tlsClient = (more: Record<string, unknown> = {}) =>
  makeClient({
    token_endpoint_auth_method: "tls_client_auth",
    tls_client_auth_subject_dn: app.subject,
    ...more,
  });

const selfSignedClient = (...keys: Record<string, unknown>[]) =>
  makeClient({
    token_endpoint_auth_method: "self_signed_tls_client_auth",
    jwks: { keys },
  });

/** Asks for a token of the client itself, with nothing but its id. */
const ask = (at: TestServer, { client_id }: Id, more = {}) =>
  at.token({ grant_type: "client_credentials", client_id, ...more });

const wrong = (reason: string) => [401, "invalid_client", reason];

beforeAll(() => server.makeScopes("read"));
afterEach(() => {
  vi.restoreAllMocks();
});

describe("tls_client_auth", () => {
  let client: Id;
  beforeAll(async () => {
    client = await tlsClient();
  });

  it("lets a client in whose certificate is verified and has the subject of its record", async () => {
    const response = await ask(withCertificate(server, app), client);
    expect([response.status, await response.json()]).toEqual([
      200,
      expect.objectContaining({ token_type: "Bearer", scope: "read" }),
    ]);
  });

  it("works at every endpoint where a client authenticates", async () => {
    const at = withCertificate(server, app);
    const { access_token, refresh_token } = await server.login(client);
    const introspected = await at.about("/introspect", client, access_token);
    expect(await introspected.json()).toMatchObject({ active: true });
    const { refresh_token: next } = await at.expectRefresh(
      client,
      refresh_token,
    );
    expect((await at.about("/revoke", client, next)).status).toBe(200);
    for (const path of ["/introspect", "/revoke"] as const)
      expect(await refusal(await server.about(path, client, next))).toEqual(
        wrong("client_certificate_missing"),
      );
  });

  it("lets a renewed certificate with the same subject in at once", async () => {
    const response = await ask(withCertificate(server, renewed), client);
    expect(response.status).toBe(200);
  });

  it("takes Basic with the id and an empty password for a request without a secret", async () => {
    const response = await withCertificate(server, app).token(
      { grant_type: "client_credentials" },
      { Authorization: basic(client.client_id, "") },
    );
    expect(response.status).toBe(200);
  });

  it.each<[name: string, tlsClientAuth: unknown, reason: string]>([
    ["no certificate", undefined, "missing"],
    ["the placeholder of development", placeholder, "missing"],
    [
      "a placeholder that says SUCCESS",
      { ...placeholder, certVerified: "SUCCESS" },
      "missing",
    ],
    ["another subject", described(other), "wrong"],
    [
      "an expired one",
      described(app, { certVerified: "FAILED:certificate has expired" }),
      "unverified",
    ],
    ["a self-signed one", described(app, SELF_SIGNED), "unverified"],
    [
      "one of an unknown authority",
      described(app, {
        certVerified: "FAILED:unable to get local issuer certificate",
      }),
      "unverified",
    ],
    ["NONE", described(app, { certVerified: "NONE" }), "unverified"],
    ["a revoked one", described(app, { certRevoked: "1" }), "revoked"],
    ["an empty subject", described(app, { certSubjectDNRFC2253: "" }), "wrong"],
    ["true in place of 1", described(app, { certPresented: true }), "missing"],
    [
      "no fingerprint",
      described(app, { certFingerprintSHA256: "" }),
      "missing",
    ],
    [
      "half a fingerprint",
      described(app, {
        certFingerprintSHA256: app.fingerprint.slice(0, 32),
      }),
      "missing",
    ],
    ["no word on revocation", described(app, { certRevoked: "" }), "missing"],
    ["text", "SUCCESS", "missing"],
    ["null", null, "missing"],
    ["an array", [described(app)], "missing"],
  ])("refuses %s", async (_name, tlsClientAuth, reason) => {
    const response = await ask(through(server, tlsClientAuth), client);
    expect(await refusal(response)).toEqual(
      wrong(`client_certificate_${reason}`),
    );
  });

  it("reads no header, because anybody may send one", async () => {
    const response = await server.token(
      { grant_type: "client_credentials", client_id: client.client_id },
      {
        "Cf-Client-Cert-Sha256": app.fingerprint,
        "Cf-Client-Cert-Verified": "true",
        "Cf-Cert-Presented": "1",
        "Cf-Cert-Verified": "SUCCESS",
        "Cf-Client-Cert-Der-Base64": app.der,
        "Client-Cert": `:${app.der}:`,
        "X-SSL-Client-Verify": "SUCCESS",
        "X-SSL-Client-S-DN": app.subject,
        "X-SSL-Client-Cert": app.der,
        "X-Forwarded-Client-Cert": `Hash=${app.fingerprint}`,
      },
    );
    expect(await refusal(response)).toEqual(
      wrong("client_certificate_missing"),
    );
  });

  it("ignores certificates while CLIENT_CERTIFICATES is off", async () => {
    const response = await ask(withCertificate(off, app), client);
    expect(await refusal(response)).toEqual(
      wrong("client_certificate_missing"),
    );
  });

  it("is the client's only method: a secret beside the certificate is another one", async () => {
    const response = await ask(withCertificate(server, app), client, {
      client_secret: "x",
    });
    expect(await refusal(response)).toEqual(
      wrong("client_authentication_method_wrong"),
    );
  });

  it("is not a method of a client with a secret", async () => {
    const withSecret = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
    });
    const response = await ask(withCertificate(server, app), {
      client_id: withSecret.client_id,
    });
    expect(await refusal(response)).toEqual(
      wrong("client_authentication_method_wrong"),
    );
  });
});

describe("self_signed_tls_client_auth", () => {
  const present = (certificate: TestCertificate, more = {}) =>
    withCertificate(server, certificate, { ...SELF_SIGNED, ...more });

  it("lets a client in whose certificate is in its record", async () => {
    for (const key of [
      registeredKey(selfa),
      registeredKey(selfa, app),
      { ...registeredKey(selfa), "x5t#S256": selfa.thumbprint },
      // Only the hash: the record is shorter.
      {
        ...registeredKey(selfa),
        x5c: undefined,
        "x5t#S256": selfa.thumbprint,
      },
    ]) {
      const client = await selfSignedClient(key);
      expect((await ask(present(selfa), client)).status).toBe(200);
      // Only the first of x5c is the client's: the others are its authorities.
      for (const another of [selfb, app])
        expect(await refusal(await ask(present(another), client))).toEqual(
          wrong("client_certificate_wrong"),
        );
    }
  });

  it("lets a client change its certificate without a gap: the record has both for a while", async () => {
    const client = await selfSignedClient(
      registeredKey(selfa),
      registeredKey(selfb),
    );
    for (const certificate of [selfa, selfb])
      expect((await ask(present(certificate), client)).status).toBe(200);
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      jwks: { keys: [registeredKey(selfb)] },
    });
    expect((await ask(present(selfb), client)).status).toBe(200);
  });

  it("finds the certificates of a client at its jwks_uri, and a new one there at once", async () => {
    const site = new KeySite([registeredKey(selfa)]);
    const client = await makeClient({
      token_endpoint_auth_method: "self_signed_tls_client_auth",
      jwks_uri: site.jwks_uri,
    });
    expect((await ask(present(selfa), client)).status).toBe(200);
    expect((await ask(present(selfa), client)).status).toBe(200);
    expect(site.fetched).toHaveLength(1);
    // A wrong certificate has the keys fetched again, but not every time.
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000);
    for (let time = 0; time < 3; time += 1)
      expect(await refusal(await ask(present(selfb), client))).toEqual(
        wrong("client_certificate_wrong"),
      );
    expect(site.fetched).toHaveLength(2);
    site.keys = [registeredKey(selfa), registeredKey(selfb)];
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000);
    expect((await ask(present(selfb), client)).status).toBe(200);
    site.keys = [];
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000);
    expect(await refusal(await ask(present(other), client))).toEqual(
      wrong("client_keys_invalid"),
    );
  });

  it("does not ask who vouches for the certificate", async () => {
    const client = await selfSignedClient(registeredKey(selfa));
    for (const certVerified of [
      "SUCCESS",
      "FAILED:certificate has expired",
      "FAILED",
    ])
      expect((await ask(present(selfa, { certVerified }), client)).status).toBe(
        200,
      );
  });

  it("refuses a revoked one", async () => {
    const client = await selfSignedClient(registeredKey(selfa));
    const response = await ask(present(selfa, { certRevoked: "1" }), client);
    expect(await refusal(response)).toEqual(
      wrong("client_certificate_revoked"),
    );
  });
});

describe("a client with another method", () => {
  it("may send a certificate as well", async () => {
    const at = withCertificate(server, app);
    const withSecret = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
    });
    const { client_secret } = withSecret;
    expect((await ask(at, withSecret, { client_secret })).status).toBe(200);
    const none = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const { refresh_token } = await server.login(none);
    const { token_type, access_token } = await at.expectRefresh(
      none,
      refresh_token,
    );
    expect(token_type).toBe("Bearer");
    // Nobody has asked for bound tokens.
    expect(atob(access_token.split(".")[1] ?? "")).not.toContain("cnf");
  });
});
