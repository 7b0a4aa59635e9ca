import { describe, expect, it } from "vitest";
import {
  ecCertificate,
  ecKey,
  rsaKey,
  weakRsaKey,
} from "../support/client-keys.ts";
import { readDocument } from "../../src/oauth/self-registration/document.ts";

/** What a metadata document may say (draft-ietf-oauth-client-id-metadata-document, section 4), and what not. */

const URL = "https://agent.example/client.json";
const ISSUER = "https://auth.example.com";
const jwks_uri = "https://agent.example/jwks.json";
const byKey = { token_endpoint_auth_method: "private_key_jwt" };

/** The example of the MCP specification. */
const example = {
  client_id: URL,
  client_name: "Example MCP Client",
  client_uri: "https://agent.example",
  logo_uri: "https://agent.example/logo.png",
  redirect_uris: [
    "http://127.0.0.1:3000/callback",
    "http://localhost:3000/callback",
  ],
  grant_types: ["authorization_code"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};

function read(members: Record<string, unknown>) {
  return readDocument(URL, JSON.stringify({ ...example, ...members }), ISSUER);
}

describe("a metadata document", () => {
  it("makes a public client, known by the URL alone", () => {
    expect(read({})).toEqual({
      client_id: URL,
      client_id_issued_at: 0,
      client_name: "Example MCP Client",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code"],
      redirect_uris: example.redirect_uris,
      resources: [],
      scope: "",
      refresh_token_retry_window: "PT1M",
      secrets: [],
      registered_by: "metadata_document",
    });
  });

  it.each([
    [
      "with a method that is not known here, and none among those that it can use",
      {
        token_endpoint_auth_method: "attest_jwt_client_auth",
        token_endpoint_auth_methods_supported: [
          "none",
          "attest_jwt_client_auth",
        ],
      },
    ],
    [
      "with keys that cannot be used here, and none among the methods that it can use",
      {
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
        jwks: { keys: [{ ...ecKey, crv: "secp256k1" }] },
      },
    ],
    ["without a method", { token_endpoint_auth_method: undefined }],
    ["with public keys", { jwks: { keys: [ecKey] } }],
    [
      "without grant types",
      { grant_types: undefined, response_types: undefined },
    ],
    [
      "with null for members that it leaves out",
      {
        grant_types: null,
        response_types: null,
        token_endpoint_auth_method: null,
        client_secret: null,
        client_secret_expires_at: null,
        jwks: null,
      },
    ],
    [
      "with members that nobody knows, of any form",
      {
        scope: 7,
        contacts: "x",
        backchannel_logout_uri: [],
        __proto__: {},
        x: null,
      },
    ],
  ])("is read %s", (_, members) => {
    expect(read(members)).toMatchObject({
      token_endpoint_auth_method: "none",
      grant_types: expect.arrayContaining(["authorization_code"]),
      scope: "",
    });
    for (const name of ["backchannel_logout_uri", "jwks", "jwks_uri"])
      expect(read(members)).not.toHaveProperty(name);
  });

  it.each<[string, object, object?]>([
    [
      "as ChatGPT has it: private_key_jwt, and none among those that it can use",
      {
        ...byKey,
        token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
        jwks_uri,
      },
      { ...byKey, jwks_uri },
    ],
    ["with its keys", { ...byKey, jwks: { keys: [ecKey, rsaKey] } }],
    [
      "with null for the other place of its keys",
      { ...byKey, jwks: null, jwks_uri },
      { ...byKey, jwks_uri },
    ],
    [
      "with a method that is not known here, and private_key_jwt among those that it can use",
      {
        token_endpoint_auth_method: "tls_client_auth",
        token_endpoint_auth_methods_supported: ["none", "private_key_jwt"],
        jwks_uri,
      },
      { ...byKey, jwks_uri },
    ],
    [
      "with keys that can be used here among others, without what no check needs",
      {
        ...byKey,
        jwks: {
          keys: [
            { kty: "AKP", alg: "ML-DSA-44", pub: "x" },
            { ...ecKey, kid: "1", x5c: [ecCertificate], ext: true },
            { ...rsaKey, use: "enc" },
            weakRsaKey,
          ],
        },
      },
      { ...byKey, jwks: { keys: [{ ...ecKey, kid: "1" }] } },
    ],
    [
      "with bound tokens",
      { token_endpoint_auth_method: "none", dpop_bound_access_tokens: true },
    ],
  ])("is read %s", (_, members, expected = members) => {
    const client = read({ ...members });
    expect(client).toMatchObject({ ...expected, secrets: [] });
    for (const name of ["jwks", "jwks_uri"])
      if (!(name in expected)) expect(client).not.toHaveProperty(name);
  });

  it("of a local server may have its keys beside the server", () => {
    const members = { ...byKey, jwks_uri: "http://127.0.0.1:4000/jwks.json" };
    const text = JSON.stringify({ ...example, ...members });
    expect(readDocument(URL, text, "http://localhost:8787")).toMatchObject(
      members,
    );
  });

  it("may refresh, unless its grant types say otherwise. Those of other servers are passed over", () => {
    const both = ["authorization_code", "refresh_token"];
    expect(read({ grant_types: undefined })).toMatchObject({
      grant_types: both,
    });
    const device = "urn:ietf:params:oauth:grant-type:device_code";
    expect(read({ grant_types: [device, ...both] })).toMatchObject({
      grant_types: both,
    });
  });

  it("has the redirect URIs that may be registered, once each, and not the others", () => {
    const good = ["https://agent.example/cb", "agent.example:/cb"];
    const bad = [
      "http://agent.example/cb",
      "javascript:alert(1)",
      "https://*.example/cb",
      "https://agent.example/cb#x",
      "https://user@agent.example/cb",
      "//agent.example/cb",
      "",
    ];
    expect(read({ redirect_uris: [...bad, ...good, ...good] })).toMatchObject({
      redirect_uris: good,
    });
  });

  it("may have 20 redirect URIs", () => {
    const redirect_uris = Array.from(
      { length: 20 },
      (_, n) => `https://a.b/${n}`,
    );
    expect(read({ redirect_uris })).toMatchObject({ redirect_uris });
  });

  it("has a name of one line of visible characters", () => {
    expect(read({ client_name: "Notes\u202E\nis safe" })).toMatchObject({
      client_name: "Notes is safe",
    });
  });

  it.each<readonly [Record<string, unknown>, string]>([
    [{ client_id: undefined }, "its client_id is missing"],
    [{ client_id: null }, "its client_id must be a string"],
    [{ client_id: [URL] }, "its client_id must be a string"],
    ...[
      "https://AGENT.example/client.json",
      "https://agent.example:443/client.json",
      "https://agent.example/client.json/",
      "https://agent.example/./client.json",
      "https://agent.example/client.json#",
      "https://agent.example/client.json?",
      "https://agent@agent.example/client.json",
      "https://agent.example/clienT.json",
      "https://agent.example/%63lient.json",
      "http://agent.example/client.json",
      ` ${URL}`,
    ].map(
      (client_id) =>
        [
          { client_id },
          "its client_id must be the URL of the document, character by character",
        ] as const,
    ),
    [{ client_name: undefined }, "its client_name is missing"],
    [{ client_name: null }, "its client_name must be a string"],
    [{ client_name: "\u200B" }, "its client_name has no visible character"],
    [{ redirect_uris: undefined }, "its redirect_uris is missing"],
    [{ redirect_uris: null }, "its redirect_uris must be an array"],
    [{ redirect_uris: {} }, "its redirect_uris must be an array"],
    [{ redirect_uris: [] }, "its redirect_uris must have at least 1 value"],
    [
      {
        redirect_uris: Array.from({ length: 21 }, (_, n) => `https://a.b/${n}`),
      },
      "its redirect_uris must have at most 20 values",
    ],
    [{ redirect_uris: [null] }, "its redirect_uris.0 must be a string"],
    [
      { redirect_uris: ["http://agent.example/cb"] },
      "its redirect_uris.0 must begin with https:// (http:// is only for 127.0.0.1, [::1] and localhost)",
    ],
    [
      { redirect_uris: [`https://a.b/${"x".repeat(2048)}`] },
      "its redirect_uris.0 must have at most 2048 characters",
    ],
    [
      { grant_types: ["refresh_token"] },
      "its grant_types must have authorization_code",
    ],
    [{ grant_types: "authorization_code" }, "its grant_types must be an array"],
    [{ response_types: ["token"] }, "its response_types must have code"],
    ...["client_secret_basic", "client_secret_post", "client_secret_jwt"].map(
      (token_endpoint_auth_method) =>
        [
          { token_endpoint_auth_method },
          "its token_endpoint_auth_method must be none or private_key_jwt, because a secret cannot be shared in a document that anybody can read",
        ] as const,
    ),
    [
      byKey,
      "its jwks is missing: private_key_jwt needs the public keys of the client here, or their address in jwks_uri",
    ],
    [
      { ...byKey, jwks: { keys: [ecKey] }, jwks_uri },
      "its jwks_uri must not be there together with jwks. Remove one of them",
    ],
    [
      { ...byKey, jwks_uri: "http://agent.example/jwks.json" },
      "its jwks_uri must begin with https://",
    ],
    [
      { ...byKey, jwks_uri: "https://10.0.0.1/jwks.json" },
      "its jwks_uri must not lead to a private address",
    ],
    [
      { ...byKey, jwks_uri: `https://a.b/${"x".repeat(2048)}` },
      "its jwks_uri must have at most 2048 characters",
    ],
    [
      { ...byKey, jwks: { keys: [weakRsaKey] } },
      "its jwks has no key that can be used here: keys.0 must have 2048 to 8192 bits",
    ],
    [{ ...byKey, jwks: { keys: [] } }, "its jwks must have at least one key"],
    [
      { ...byKey, jwks: { keys: Array.from({ length: 11 }, () => ecKey) } },
      "its jwks must have at most 10 keys",
    ],
    [
      { token_endpoint_auth_method: "tls_client_auth" },
      "its token_endpoint_auth_method must be none or private_key_jwt",
    ],
    [
      { dpop_bound_access_tokens: "yes" },
      "its dpop_bound_access_tokens must be true or false",
    ],
    [
      { jwks: { keys: [{ ...rsaKey, p: "x" }] } },
      "its jwks has a private key, which anybody can read. Replace that key",
    ],
    [
      { client_secret: "s3cret" },
      "its client_secret must not be in a metadata document, because anybody can read it",
    ],
    [
      { client_secret_expires_at: 0 },
      "its client_secret_expires_at must not be in a metadata document, because anybody can read it",
    ],
    [
      { jwks: { keys: [{ kty: "EC" }, { kty: "EC", d: "x" }] } },
      "its jwks has a private key, which anybody can read. Replace that key",
    ],
    [
      { jwks: { keys: [{ kty: "oct", k: "x" }] } },
      "its jwks has a private key, which anybody can read. Replace that key",
    ],
  ])("with %j is refused", (members, problem) => {
    expect(read(members)).toBe(problem);
  });

  it.each([
    "",
    "null",
    "[]",
    "7",
    '"x"',
    "{",
    "<html>",
    `${JSON.stringify(example)}x`,
  ])("that is %j is refused", (text) => {
    expect(readDocument(URL, text, ISSUER)).toBe(
      "it must be an object in JSON",
    );
  });

  it("that has a member twice is read as JSON.parse reads it: the last one counts", () => {
    const twice = (first: string, last: string) =>
      `{"client_id":"${first}",${JSON.stringify({ ...example, client_id: last }).slice(1)}`;
    expect(
      readDocument(URL, twice("https://x.example/", URL), ISSUER),
    ).toMatchObject({
      client_id: URL,
    });
    expect(readDocument(URL, twice(URL, "https://x.example/"), ISSUER)).toBe(
      "its client_id must be the URL of the document, character by character",
    );
  });
});
