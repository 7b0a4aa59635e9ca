import { base64url, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type ProtectedResource,
  protectedResource,
} from "../../src/resource/index.ts";
import { FakeIssuer, ISSUER, makeKey, RESOURCE } from "./issuer.ts";

/** Tests which access tokens a protected resource accepts (RFC 9068 section 4, RFC 8725). */

let issuer: FakeIssuer;
let notes: ProtectedResource;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  notes = resource();
});

function resource(more: object = {}): ProtectedResource {
  const { fetch } = issuer;
  return protectedResource({
    resource: RESOURCE,
    issuer: ISSUER,
    fetch,
    ...more,
  });
}

const notOfThisIssuer = {
  invalid:
    "The token is not an access token of the issuer that the metadata names. Get one there.",
};
const forAnother = {
  invalid:
    "The token is for another resource. Get one for that which the metadata names.",
};

describe("a protected resource", () => {
  it("accepts an access token of its issuer, and says what is in it", async () => {
    const token = await issuer.sign({
      scope: "notes:read notes:write",
      roles: ["editor"],
    });
    const checked = await notes.check(token);
    expect(checked).toMatchObject({
      verified: {
        token,
        sub: "alice",
        client_id: "notes-agent",
        scopes: ["notes:read", "notes:write"],
        claims: { roles: ["editor"], iss: ISSUER },
      },
    });
  });

  it("accepts a token without a scope", async () => {
    const token = await issuer.sign({ scope: undefined });
    expect(await notes.check(token)).toMatchObject({
      verified: { scopes: [] },
    });
  });

  it.each([
    ["a string", RESOURCE],
    ["one of several", ["https://other.example.com", RESOURCE]],
    ["another spelling of host and port", "HTTPS://API.example.com:443/notes"],
  ])("accepts its audience as %s", async (_, aud) => {
    expect(await notes.check(await issuer.sign({ aud }))).toHaveProperty(
      "verified",
    );
  });

  it.each([
    ["the issuer", ISSUER],
    ["another path", `${RESOURCE}/more`],
    ["another case of the path", "https://api.example.com/Notes"],
    ["a path that begins with its own", `${RESOURCE}-archive`],
    ["another port", "https://api.example.com:8443/notes"],
    ["http", "http://api.example.com/notes"],
    ["an empty list", []],
    ["no text", [42]],
  ])("refuses a token whose audience is %s", async (_, aud) => {
    expect(await notes.check(await issuer.sign({ aud }))).toEqual(forAnother);
  });

  it("compares with the audience of the options, if they have one", async () => {
    const audience = "urn:example:notes";
    const other = resource({ audience });
    expect(
      await other.check(await issuer.sign({ aud: audience })),
    ).toHaveProperty("verified");
    expect(await other.check(await issuer.sign())).toEqual(forAnother);
  });

  it("refuses a token that has expired, at its second", async () => {
    const exp = Math.floor(Date.now() / 1000);
    expect(await notes.check(await issuer.sign({ exp }))).toEqual({
      invalid: "The token has expired. Get a new one.",
    });
  });

  it.each([
    ["another issuer", { iss: "https://evil.example.com" }],
    ["the issuer with a slash", { iss: `${ISSUER}/` }],
    ["no issuer", { iss: undefined }],
    ["no subject", { sub: undefined }],
    ["a subject that is no text", { sub: 42 }],
    ["no client", { client_id: undefined }],
    ["no audience", { aud: undefined }],
    ["no expiry", { exp: undefined }],
    ["an expiry that is no number", { exp: "4102444800" }],
    ["no time of issue", { iat: undefined }],
    ["a scope that is no text", { scope: ["notes:read"] }],
    ["a time before which it is not good", { nbf: 4_102_444_800 }],
  ])("refuses a token with %s", async (_, changes) => {
    expect(await notes.check(await issuer.sign(changes))).toEqual(
      notOfThisIssuer,
    );
  });

  it.each([
    ["an ID token", { typ: "JWT" }],
    ["a logout token", { typ: "logout+jwt" }],
    ["a JWT without a type", { typ: undefined }],
  ])("refuses %s", async (_, header) => {
    const token = await issuer.sign({}, header as object);
    expect(await notes.check(token)).toEqual(notOfThisIssuer);
  });

  it("refuses a token that another key has signed, also under the id of a known one", async () => {
    const key = await makeKey();
    const kid = issuer.keys[0]?.kid ?? "";
    expect(await notes.check(await issuer.sign({}, { kid }, key))).toEqual(
      notOfThisIssuer,
    );
    expect(await notes.check(await issuer.sign({}, {}, key))).toEqual(
      notOfThisIssuer,
    );
  });

  it("refuses a token that was changed after it was signed", async () => {
    const [header, payload = "", signature] = (await issuer.sign()).split(".");
    const claims = JSON.parse(
      new TextDecoder().decode(base64url.decode(payload)),
    ) as object;
    const changed = base64url.encode(
      JSON.stringify({ ...claims, sub: "root" }),
    );
    expect(await notes.check(`${header}.${changed}.${signature}`)).toEqual(
      notOfThisIssuer,
    );
  });

  it.each(["none", "None", "nOnE"])("refuses the algorithm %s", async (alg) => {
    const [, payload, signature] = (await issuer.sign()).split(".");
    const kid = issuer.keys[0]?.kid;
    const header = base64url.encode(
      JSON.stringify({ alg, typ: "at+jwt", kid }),
    );
    for (const token of [
      `${header}.${payload}.${signature}`,
      `${header}.${payload}.`,
    ])
      expect(await notes.check(token)).toHaveProperty("invalid");
  });

  it("refuses an HMAC with the public key as its secret", async () => {
    const [key] = issuer.keys;
    const secret = new TextEncoder().encode(JSON.stringify(key?.jwk));
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({
      client_id: "notes-agent",
      scope: "notes:read",
    })
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: key?.kid ?? "" })
      .setIssuer(ISSUER)
      .setSubject("alice")
      .setAudience(RESOURCE)
      .setIssuedAt(now)
      .setExpirationTime(now + 3600)
      .sign(secret);
    expect(await notes.check(token)).toEqual(notOfThisIssuer);
    const careless = resource({ algorithms: ["HS256", "ES256"] });
    expect(await careless.check(token)).toEqual(notOfThisIssuer);
  });

  it.each(["ES384", "EdDSA", "RS256", "PS256"])(
    "accepts the algorithm %s, unless the options name others",
    async (alg) => {
      const other = await FakeIssuer.start();
      other.keys = [await makeKey(alg)];
      const token = await other.sign();
      const { fetch } = other;
      expect(await resource({ fetch }).check(token)).toHaveProperty("verified");
      const strict = resource({ fetch, algorithms: ["ES256"] });
      expect(await strict.check(token)).toEqual(notOfThisIssuer);
    },
  );

  it("refuses a token of a client itself, unless the options allow it", async () => {
    const token = await issuer.sign({ sub: "notes-agent", sub_type: "client" });
    expect(await notes.check(token)).toEqual({
      invalid:
        "The token is of a client itself. This resource needs one of a user.",
    });
    const open = resource({ allow_clients: true });
    expect(await open.check(token)).toMatchObject({
      verified: { sub: "notes-agent", claims: { sub_type: "client" } },
    });
  });

  it("refuses a token that is bound to a key, because it checks no proof", async () => {
    const token = await issuer.sign({ cnf: { jkt: "thumbprint" } });
    expect(await notes.check(token)).toEqual({
      invalid:
        "The token is bound to a key, and is not a bearer token. Send it with the scheme DPoP and a proof of the key.",
    });
  });

  it.each([
    ["nothing", ""],
    ["a refresh token", "brt_AAAA"],
    ["two parts", "eyJhbGciOiJFUzI1NiJ9.e30"],
    ["five parts", "a.b.c.d.e"],
    ["padding", "eyJhbGciOiJFUzI1NiJ9.e30=.AAAA"],
    ["two tokens", "a.b.c, a.b.c"],
    ["more than 16 KiB", `${"a".repeat(16_384)}.b.c`],
  ])("refuses %s before it fetches the keys", async (_, token) => {
    const other = await FakeIssuer.start();
    const { fetch } = other;
    expect(await resource({ fetch }).check(token)).toEqual({
      invalid:
        "The token is malformed. Send one access token in the header Authorization, as it was issued.",
    });
    expect(other.fetched).toEqual([]);
  });
});

describe("protectedResource", () => {
  it.each([
    ["resource", { resource: "api" }],
    ["resource", { resource: "https://api.example.com/#a" }],
    ["resource", { resource: "urn:example:notes" }],
    ["issuer", { issuer: "" }],
  ])("throws if %s is not a URL that can be used", (name, more) => {
    expect(() => resource(more)).toThrow(`${name} must be an https URL`);
  });
});
