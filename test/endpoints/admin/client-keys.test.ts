import { describe, expect, it } from "vitest";
import { type ClientRecord, fieldErrors } from "../../support/admin.ts";
import {
  ecCertificate,
  ecKey,
  edKey,
  rsaKey,
  weakRsaKey,
} from "../../support/client-keys.ts";
import { refusal, server, serverWith } from "../../support/server.ts";

/** Tests the fields of `/admin/clients` by which a client proves a key. */

const byKey = { token_endpoint_auth_method: "private_key_jwt" };
const withKeys = (...keys: object[]) => ({ ...byKey, jwks: { keys } });
const ofCertificate = {
  token_endpoint_auth_method: "self_signed_tls_client_auth",
  jwks: { keys: [{ ...ecKey, x5c: [ecCertificate] }] },
};

const make = (fields: object) =>
  server.expectAdmin<ClientRecord>("POST", "/clients", fields);
const show = (id: string) =>
  server.expectAdmin<ClientRecord>("GET", `/clients/${id}`);
const change = (id: string, fields: object) =>
  server.expectAdmin<ClientRecord>("PATCH", `/clients/${id}`, fields);

/** Tries to create a client. @returns the problem of each field */
async function problems(fields: object): Promise<Record<string, string>> {
  return fieldErrors(await server.admin("POST", "/clients", fields));
}

describe("the public keys of a client", () => {
  it("are shown as they were set, with the members that a check needs", async () => {
    const key = {
      ...ecKey,
      kid: "2026",
      use: "sig",
      key_ops: ["verify"],
      alg: "ES256",
      x5c: [ecCertificate],
      "x5t#S256": "a".repeat(43),
    };
    const { client_id, jwks } = await make(
      withKeys({ ...key, ext: true, iat: 1_700_000_000 }, edKey, {
        ...rsaKey,
        alg: "PS256",
      }),
    );
    const kept = { keys: [key, edKey, { ...rsaKey, alg: "PS256" }] };
    expect(jwks).toEqual(kept);
    expect(await show(client_id)).toMatchObject({ ...byKey, jwks: kept });
    // A change of another field keeps them.
    await change(client_id, { client_name: "Billing" });
    expect(await show(client_id)).toMatchObject({ jwks: kept });
  });

  it.each<[string, object, RegExp]>([
    ["the private part of an EC key", { ...ecKey, d: "AQAB" }, /private part/],
    ["the private part of an RSA key", { ...rsaKey, p: "AQAB" }, /private/],
    ["a symmetric key", { kty: "oct", k: "AQAB" }, /symmetric/],
    ["a secret beside a public key", { ...ecKey, k: "AQAB" }, /private part/],
    ["a symmetric key without its secret", { kty: "oct" }, /one of EC, OKP/],
    ["a key of another type", { kty: "AKP", pub: "AQAB" }, /one of EC, OKP/],
    ["another curve", { ...ecKey, crv: "secp256k1" }, /one of P-256/],
    ["a curve of another type", { ...ecKey, crv: "Ed25519" }, /these types/],
    ["a key without a type", { crv: "P-256" }, /is missing/],
    ["half a key", { ...ecKey, y: undefined }, /x and y of 32 bytes/],
    ["a coordinate of another size", { ...ecKey, x: "AQAB" }, /of 32 bytes/],
    ["a weak RSA key", weakRsaKey, /2048 to 8192 bits/],
    ["a weak RSA key, with zeros", { ...rsaKey, n: "A".repeat(400) }, /2048/],
    ["an RSA key without n", { ...rsaKey, n: undefined }, /n and e/],
    ["an RSA key that encrypts nothing", { ...rsaKey, e: "AQ" }, /odd e/],
    ["an RSA key with an even exponent", { ...rsaKey, e: "BA" }, /odd e/],
    ["an endless number", { ...rsaKey, n: "A".repeat(1404) }, /1400/],
    ["bytes that are not base64url", { ...edKey, x: "a+/=" }, /base64url/],
    ["an algorithm that does not fit", { ...rsaKey, alg: "ES256" }, /fits/],
    ["a symmetric algorithm", { ...rsaKey, alg: "HS256" }, /fits its type/],
    ["a key for encryption", { ...rsaKey, use: "enc" }, /must be sig/],
    ["a key that verifies nothing", { ...ecKey, key_ops: [] }, /have verify/],
    [
      "the certificate of another key",
      { ...edKey, x5c: [ecCertificate] },
      /of this key/,
    ],
    ["a certificate in PEM", { ...ecKey, x5c: ["-----BEGIN"] }, /in base64/],
    ["a text", "key" as unknown as object, /must be an object/],
  ])("must not be %s", async (_what, key, problem) => {
    const [[field, text] = ["", ""], ...more] = Object.entries(
      await problems(withKeys(ecKey, key)),
    );
    expect(more).toEqual([]);
    expect(field).toMatch(/^jwks\.keys\.1/);
    expect(text).toMatch(problem);
    // A value of the key would be in logs.
    expect(text).not.toMatch(/AQAB|secp|HS256/);
  });

  it.each<[string, unknown, string]>([
    ["a text", "https://app.example/jwks.json", "jwks"],
    ["no set", [ecKey], "jwks.keys"],
    ["an empty set", { keys: [] }, "jwks.keys"],
    [
      "eleven keys",
      { keys: Array.from({ length: 11 }, () => ecKey) },
      "jwks.keys",
    ],
  ])("must not be %s", async (_what, jwks, field) => {
    expect(Object.keys(await problems({ ...byKey, jwks }))).toEqual([field]);
  });

  it.each([
    ["http://app.example/jwks.json", /https/],
    ["https://localhost/jwks.json", /private address/],
    ["https://10.0.0.1/jwks.json", /private address/],
    ["https://user@app.example/jwks.json", /user/],
    ["http://127.0.0.1:4000/jwks.json", /https/],
    ["not a URL", /absolute URI/],
  ])("must not be at %s", async (jwks_uri, problem) => {
    expect(await problems({ ...byKey, jwks_uri })).toEqual({
      jwks_uri: expect.stringMatching(problem) as string,
    });
  });

  it("may be at a loopback address for a local server", async () => {
    const jwks_uri = "http://127.0.0.1:4000/jwks.json";
    const local = serverWith({ ISSUER: "http://localhost:8787" });
    const made = await local.expectAdmin("POST", "/clients", {
      ...byKey,
      jwks_uri,
    });
    expect(made).toMatchObject({ jwks_uri });
  });
});

describe("a client that authenticates with a key", () => {
  it.each<[string, object, string]>([
    ["private_key_jwt without keys", byKey, "jwks"],
    [
      "keys and their address",
      { ...withKeys(ecKey), jwks_uri: "https://app.example/jwks.json" },
      "jwks_uri",
    ],
    [
      "keys and their address, for a secret",
      { jwks: { keys: [ecKey] }, jwks_uri: "https://app.example/jwks.json" },
      "jwks_uri",
    ],
    [
      "a certificate without its subject",
      { token_endpoint_auth_method: "tls_client_auth" },
      "tls_client_auth_subject_dn",
    ],
    [
      "two names of a certificate",
      {
        token_endpoint_auth_method: "tls_client_auth",
        tls_client_auth_subject_dn: "CN=billing",
        tls_client_auth_san_dns: "billing.example",
      },
      "tls_client_auth_san_dns",
    ],
    [
      "a subject that is not a name",
      { tls_client_auth_subject_dn: "billing" },
      "tls_client_auth_subject_dn",
    ],
    [
      "an address that is not an IP address",
      { tls_client_auth_san_ip: "billing.example" },
      "tls_client_auth_san_ip",
    ],
    [
      "an address that no certificate can have",
      { tls_client_auth_san_ip: "192.0.2.07" },
      "tls_client_auth_san_ip",
    ],
    [
      "its own certificate, and none in its keys",
      { ...ofCertificate, jwks: { keys: [ecKey] } },
      "jwks",
    ],
    [
      "a secret",
      { ...withKeys(ecKey), client_secret: "s".repeat(40) },
      "client_secret",
    ],
    [
      "a secret later",
      { ...withKeys(ecKey), client_secret: null },
      "client_secret",
    ],
  ])("is refused with %s", async (_what, fields, field) => {
    expect(Object.keys(await problems(fields))).toEqual([field]);
  });

  it.each<[string, object]>([
    ["private_key_jwt", withKeys(ecKey)],
    [
      "private_key_jwt at an address",
      { ...byKey, jwks_uri: "https://app.example/jwks.json" },
    ],
    [
      "a certificate",
      {
        token_endpoint_auth_method: "tls_client_auth",
        tls_client_auth_subject_dn: "CN=billing,O=Acme",
      },
    ],
    ["its own certificate", ofCertificate],
    [
      "its own certificate, by the hash",
      {
        ...ofCertificate,
        jwks: { keys: [{ ...ecKey, "x5t#S256": "a".repeat(43) }] },
      },
    ],
    ...Object.entries({
      dns: "billing.example",
      uri: "spiffe://example/billing",
      ip: "2001:db8::1",
      email: "billing@example.com",
    }).map(([kind, name]): [string, object] => [
      `a certificate by its name (${kind})`,
      {
        token_endpoint_auth_method: "tls_client_auth",
        [`tls_client_auth_san_${kind}`]: name,
      },
    ]),
  ])("has no secret and can get none: %s", async (_what, fields) => {
    const made = await make({ ...fields, grant_types: ["client_credentials"] });
    expect(made).toMatchObject({ ...fields, credentials: [] });
    expect(made).not.toHaveProperty("client_secret");
    const path = `/clients/${made.client_id}/secrets`;
    const refused = await server.admin("POST", path, {});
    expect(await refusal(refused)).toEqual([
      409,
      "conflict",
      "client_has_no_secret",
    ]);
  });

  it("loses its secrets when it begins to, and keeps its logins", async () => {
    const made = await server.makeClient();
    const { client_id } = made;
    await server.login(made);
    const changed = await change(client_id, withKeys(ecKey));
    expect(changed).toMatchObject({ ...byKey, credentials: [] });
    expect(changed).not.toHaveProperty("tokens_not_before");
    const listed = await server.expectAdmin<{ grants: object[] }>(
      "GET",
      "/subjects/alice/grants",
    );
    expect(listed.grants).toContainEqual(
      expect.objectContaining({ client_id }),
    );
    // Back again, it needs a new secret.
    const back = await change(client_id, { token_endpoint_auth_method: null });
    expect(back).toMatchObject({ credentials: [] });
    const path = `/clients/${client_id}/secrets`;
    expect(await server.expectAdmin("POST", path, {})).toHaveProperty(
      "client_secret",
    );
  });

  it("ends its logins when it becomes public, because a stolen token was useless without the key", async () => {
    const { client_id } = await make(withKeys(ecKey));
    const changed = await change(client_id, {
      token_endpoint_auth_method: "none",
      jwks: null,
    });
    expect(changed).toHaveProperty("tokens_not_before");
    expect(changed).not.toHaveProperty("jwks");
  });

  it("cannot lose its only keys", async () => {
    const { client_id } = await make(withKeys(ecKey));
    const path = `/clients/${client_id}`;
    const refused = await server.admin("PATCH", path, { jwks: null });
    expect(Object.keys(await fieldErrors(refused))).toEqual(["jwks"]);
    const jwks_uri = "https://app.example/jwks.json";
    expect(await change(client_id, { jwks: null, jwks_uri })).toMatchObject({
      jwks_uri,
    });
  });

  it("needs CLIENT_CERTIFICATES for a certificate, which a warning says", async () => {
    for (const fields of [
      ofCertificate,
      { tls_client_certificate_bound_access_tokens: true },
    ]) {
      const told = [expect.stringContaining("CLIENT_CERTIFICATES")];
      const made = await make(fields);
      expect(made).toMatchObject({ warnings: told });
      const off = await make({});
      expect(await change(off.client_id, fields)).toMatchObject({
        warnings: told,
      });
      // A change of another field does not say it again.
      expect(
        await change(off.client_id, { client_name: "Billing" }),
      ).not.toHaveProperty("warnings");
      const on = serverWith({ CLIENT_CERTIFICATES: "on" });
      expect(
        await on.expectAdmin("POST", "/clients", fields),
      ).not.toHaveProperty("warnings");
    }
  });
});

describe("refresh_token_catch_up", () => {
  it.each<[string, object]>([
    [
      "never, for a public client",
      { token_endpoint_auth_method: "none", refresh_token_catch_up: "PT0S" },
    ],
    ["a day, for a client with a secret", { refresh_token_catch_up: "P1D" }],
    [
      "as long as a refresh token lasts",
      { refresh_token_ttl: "P7D", refresh_token_catch_up: "P7D" },
    ],
  ])("may be %s", async (_what, fields) => {
    const { client_id } = await make(fields);
    expect(await show(client_id)).toMatchObject(fields);
  });

  it.each<[string, object]>([
    [
      "longer than a refresh token lasts",
      { refresh_token_ttl: "P7D", refresh_token_catch_up: "P8D" },
    ],
    ["longer than the setting", { refresh_token_catch_up: "P1Y" }],
    ["a number", { refresh_token_catch_up: 60 }],
    ["a word", { refresh_token_catch_up: "forever" }],
  ])("must not be %s", async (_what, fields) => {
    expect(Object.keys(await problems(fields))).toEqual([
      "refresh_token_catch_up",
    ]);
  });
});
