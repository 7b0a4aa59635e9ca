import { generateKeyPair } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  ASSERTION_TYPE,
  asParameters,
  type ClientKey,
  KeyClient,
  makeKey,
  type Saying,
} from "../support/assertions.ts";
import {
  basic,
  type ErrorBody,
  ISSUER,
  refusal,
  server,
  type Tokens,
} from "../support/server.ts";

/** `private_key_jwt` by the letter: RFC 7521 section 4.2, RFC 7523 section 3, draft-ietf-oauth-rfc7523bis. */

let client: KeyClient;

beforeAll(async () => {
  client = await KeyClient.make();
});

/** Sends a refresh with a malformed token. The answer 400 shows that the client was authenticated. */
function attempt(form: Record<string, string>, headers = {}) {
  const grant = { grant_type: "refresh_token", refresh_token: "none" };
  return server.token({ ...grant, ...form }, headers);
}

const authenticated = [400, "invalid_grant", "refresh_token_malformed"];
const now = () => Math.floor(Date.now() / 1000);

describe("a client with a key", () => {
  it("refreshes, and its assertion names it", async () => {
    const { refresh_token } = await client.login();
    const response = await client.refresh(refresh_token);
    expect(response.status).toBe(200);
    const tokens = await response.json<Tokens>();
    const next = await client.refresh(tokens.refresh_token);
    expect(await next.json()).toMatchObject({ token_type: "Bearer" });
  });

  it("may send client_id as well", async () => {
    const { client_id } = client;
    const form = { ...(await client.parameters()), client_id };
    expect(await refusal(await attempt(form))).toEqual(authenticated);
  });

  it.each(["ES256", "ES384", "ES512", "Ed25519", "EdDSA"])(
    "may sign with %s",
    async (alg) => {
      const other = await KeyClient.make({}, { key: await makeKey(alg) });
      const response = await attempt(await other.parameters());
      expect(await refusal(response)).toEqual(authenticated);
    },
  );

  it("may sign with every algorithm of an RSA key", async () => {
    const { privateKey } = await generateKeyPair("RS256", {
      extractable: true,
    });
    const pkcs8 = await crypto.subtle.exportKey("pkcs8", privateKey);
    const { n, e } = (await crypto.subtle.exportKey(
      "jwk",
      privateKey,
    )) as JsonWebKey;
    const { client_id } = await KeyClient.make({
      jwks: { keys: [{ kty: "RSA", n, e }] },
    });
    for (const [scheme, name] of [
      ["RS", "RSASSA-PKCS1-v1_5"],
      ["PS", "RSA-PSS"],
    ])
      for (const bits of [256, 384, 512]) {
        const algorithm = { name: name!, hash: `SHA-${bits}` };
        const key: ClientKey = {
          alg: `${scheme}${bits}`,
          privateKey: await crypto.subtle.importKey(
            "pkcs8",
            pkcs8,
            algorithm,
            false,
            ["sign"],
          ),
          jwk: {},
        };
        const other = new KeyClient(client_id, key, server);
        const response = await attempt(await other.parameters());
        expect(await refusal(response)).toEqual(authenticated);
      }
  });
});

describe("an assertion is accepted", () => {
  it.each<[string, Saying]>([
    ["with typ JWT", { header: { typ: "JWT" } }],
    ["with typ jwt", { header: { typ: "jwt" } }],
    ["with its own typ", { header: { typ: "client-authentication+jwt" } }],
    [
      "with the whole media type",
      { header: { typ: "application/client-authentication+jwt" } },
    ],
    ["with aud in an array", { claims: { aud: [ISSUER] } }],
    ["without iat", { claims: { iat: undefined } }],
    ["with nbf", { claims: { nbf: now() - 1 } }],
    ["for an hour", { claims: { exp: now() + 3590 } }],
    [
      "of a clock that is 50 s ahead",
      { claims: { iat: now() + 50, nbf: now() + 50, exp: now() + 110 } },
    ],
    [
      "of a clock that is 50 s behind",
      { claims: { iat: now() - 110, exp: now() - 30 } },
    ],
    [
      "with an old iat, because exp decides",
      { claims: { iat: now() - 86_400 } },
    ],
    ["with claims of its own", { claims: { tenant: "x", scope: ["y"] } }],
    ["with exp in fractions of a second", { claims: { exp: now() + 60.5 } }],
    ["with a header x5t of a certificate", { header: { x5t: "x" } }],
  ])("%s", async (_, saying) => {
    const response = await attempt(await client.parameters(saying));
    expect(await refusal(response)).toEqual(authenticated);
  });
});

describe("an assertion is refused, also with a good signature, if", () => {
  const endpoint = "client_assertion_for_endpoint";
  const audience = "client_assertion_audience_wrong";
  const malformed = "client_assertion_malformed";
  const kind = "client_assertion_of_another_kind";
  it.each<[string, string, Saying]>([
    [
      "aud is the token endpoint",
      endpoint,
      { claims: { aud: `${ISSUER}/access_token` } },
    ],
    [
      "aud has the token endpoint too",
      endpoint,
      { claims: { aud: [ISSUER, `${ISSUER}/access_token`] } },
    ],
    ["aud ends with a slash", endpoint, { claims: { aud: `${ISSUER}/` } }],
    [
      "aud is another server",
      audience,
      { claims: { aud: "https://other.example" } },
    ],
    [
      "aud has another server too",
      audience,
      { claims: { aud: [ISSUER, "https://other.example"] } },
    ],
    [
      "aud is the issuer twice",
      audience,
      { claims: { aud: [ISSUER, ISSUER] } },
    ],
    [
      "aud is in other letters",
      audience,
      { claims: { aud: ISSUER.toUpperCase() } },
    ],
    [
      "aud begins with the issuer",
      audience,
      { claims: { aud: `${ISSUER}.evil.example` } },
    ],
    ["aud is an empty array", audience, { claims: { aud: [] } }],
    ["aud is the host name", audience, { claims: { aud: "auth.example.com" } }],
    ["aud is left out", malformed, { claims: { aud: undefined } }],
    ["aud is an object", malformed, { claims: { aud: { 0: ISSUER } } }],
    ["iss is left out", malformed, { claims: { iss: undefined } }],
    [
      "iss is another client",
      "client_assertion_issuer_wrong",
      { claims: { iss: "other" } },
    ],
    ["exp is left out", malformed, { claims: { exp: undefined } }],
    ["exp is a text", malformed, { claims: { exp: String(now() + 60) } }],
    ["jti is left out", malformed, { claims: { jti: undefined } }],
    ["jti is empty", malformed, { claims: { jti: "" } }],
    ["jti is a number", malformed, { claims: { jti: 7 } }],
    [
      "it has expired",
      "client_assertion_expired",
      { claims: { exp: now() - 65 } },
    ],
    ["exp is 0", "client_assertion_expired", { claims: { exp: 0 } }],
    ["exp is below 0", "client_assertion_expired", { claims: { exp: -1 } }],
    [
      "it is for two hours",
      "client_assertion_long_lived",
      { claims: { exp: now() + 7200 } },
    ],
    [
      "exp is in milliseconds",
      "client_assertion_long_lived",
      { claims: { exp: Date.now() + 60_000 } },
    ],
    [
      "iat is in the future",
      "client_assertion_early",
      { claims: { iat: now() + 120 } },
    ],
    [
      "nbf is in the future",
      "client_assertion_early",
      { claims: { nbf: now() + 120 } },
    ],
    ["iat is a text", malformed, { claims: { iat: "now" } }],
    ["it is an access token", kind, { header: { typ: "at+jwt" } }],
    ["it is a DPoP proof", kind, { header: { typ: "dpop+jwt" } }],
    ["it is a logout token", kind, { header: { typ: "logout+jwt" } }],
    [
      "it is an authorization grant",
      kind,
      { header: { typ: "authorization-grant+jwt" } },
    ],
    ["typ is empty", kind, { header: { typ: "" } }],
  ])("%s", async (_, reason, saying) => {
    const response = await attempt(await client.parameters(saying));
    expect(await refusal(response)).toEqual([401, "invalid_client", reason]);
  });

  it("sub is left out, with client_id and without", async () => {
    const saying = { claims: { sub: undefined } };
    const { client_id } = client;
    for (const more of [{}, { client_id }]) {
      const form = { ...(await client.parameters(saying)), ...more };
      expect(await refusal(await attempt(form))).toEqual([
        401,
        "invalid_client",
        malformed,
      ]);
    }
  });
});

describe("the parameters of an assertion", () => {
  it("need the type of RFC 7523", async () => {
    const { client_assertion } = await client.parameters();
    const reason = [401, "invalid_client", "client_assertion_type_unknown"];
    for (const form of [
      { client_assertion: client_assertion! },
      {
        client_assertion: client_assertion!,
        client_assertion_type:
          "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
      },
    ])
      expect(await refusal(await attempt(form))).toEqual(reason);
  });

  it("need the assertion", async () => {
    const form = { client_assertion_type: ASSERTION_TYPE };
    const reason = [401, "invalid_client", "client_assertion_malformed"];
    const { client_id } = client;
    expect(await refusal(await attempt(form))).toEqual(reason);
    expect(await refusal(await attempt({ ...form, client_id }))).toEqual(
      reason,
    );
  });

  it("are one way of authentication: not beside Basic or client_secret", async () => {
    const form = await client.parameters();
    const two = [400, "invalid_request", "two_authentication_methods"];
    const Authorization = basic(client.client_id, "");
    expect(await refusal(await attempt(form, { Authorization }))).toEqual(two);
    const both = { ...form, client_secret: "x" };
    expect(await refusal(await attempt(both))).toEqual(two);
  });

  it("name the same client as client_id", async () => {
    const form = { ...(await client.parameters()), client_id: "another" };
    const two = [400, "invalid_request", "two_client_ids"];
    expect(await refusal(await attempt(form))).toEqual(two);
  });

  it("are sent once", async () => {
    const form = Object.entries(await client.parameters());
    for (const name of ["client_assertion", "client_assertion_type"]) {
      const repeated = [["grant_type", "refresh_token"], ...form, [name, "x"]];
      expect(await refusal(await server.token(repeated))).toEqual([
        400,
        "invalid_request",
        "parameter_repeated",
      ]);
    }
  });
});

describe("the record decides the method", () => {
  it("a client whose record names another method, or none, sends no assertion", async () => {
    const key = await makeKey();
    const jwks = { keys: [key.jwk] };
    for (const metadata of [
      { token_endpoint_auth_method: undefined },
      { token_endpoint_auth_method: "client_secret_post" },
      { token_endpoint_auth_method: "none" },
    ]) {
      const { client_id } = await server.makeClient({ ...metadata, jwks });
      const other = new KeyClient(client_id, key, server);
      expect(await refusal(await attempt(await other.parameters()))).toEqual([
        401,
        "invalid_client",
        "client_authentication_method_wrong",
      ]);
    }
  });

  it("a client with a key sends no secret, and not nothing", async () => {
    const { client_id } = client;
    for (const more of [{}, { client_secret: "x" }])
      expect(await refusal(await attempt({ client_id, ...more }))).toEqual([
        401,
        "invalid_client",
        "client_authentication_method_wrong",
      ]);
  });

  it("a client that does not exist is refused with the same words", async () => {
    const nobody = new KeyClient("nobody", client.key, server);
    const wrong = new KeyClient(client.client_id, await makeKey(), server);
    const answers = [];
    for (const each of [nobody, wrong]) {
      const response = await attempt(await each.parameters());
      answers.push({
        reason: (await refusal(response.clone()))[2],
        body: await response.json<ErrorBody>(),
        challenge: response.headers.get("WWW-Authenticate"),
      });
    }
    const [one, other] = answers;
    expect([one?.reason, other?.reason]).toEqual([
      "client_unknown",
      "client_assertion_wrong",
    ]);
    expect({ ...one, reason: "" }).toEqual({ ...other, reason: "" });
  });

  it("text that is not a JWS is malformed", async () => {
    const { client_id } = client;
    for (const text of ["x", "a.b.c", "..", "x".repeat(15_000), "e30.e30.x"]) {
      const form = { ...asParameters(text), client_id };
      expect(await refusal(await attempt(form))).toEqual([
        401,
        "invalid_client",
        "client_assertion_malformed",
      ]);
    }
  });
});
