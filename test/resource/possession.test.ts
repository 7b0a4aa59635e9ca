import { Hono } from "hono";
import { beforeAll, describe, expect, it } from "vitest";
import { proofAlgorithms } from "../../src/dpop/algorithms.ts";
import { protect } from "../../src/resource/hono.ts";
import {
  certificateOfCloudflare,
  type ProtectedResource,
  protectedResource,
  type ResourceOptions,
} from "../../src/resource/index.ts";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { FakeIssuer, ISSUER, METADATA_URL, RESOURCE } from "./issuer.ts";
import { proofWith, refused, request } from "./proven.ts";

/** Tests bound tokens without a request, on a connection with a certificate (RFC 8705 section 3), and in the adapters. */

const notABearerToken =
  "The token is bound to a key, and is not a bearer token. Send it with the scheme DPoP and a proof of the key.";
const notBound =
  "The token is not bound to a key. Send it with the scheme Bearer.";

let issuer: FakeIssuer;
let key: ProofKey;
let notes: ProtectedResource;
let bound: string;
let unbound: string;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  key = await makeProofKey();
  notes = resource();
  bound = await issuer.sign({ cnf: { jkt: key.jkt } });
  unbound = await issuer.sign();
});

function resource(more: Partial<ResourceOptions> = {}): ProtectedResource {
  return protectedResource({
    resource: RESOURCE,
    issuer: ISSUER,
    scope: "notes:read",
    fetch: issuer.fetch,
    ...more,
  });
}

/** A request with a token, as a client of the key sends it. */
async function proven(token: string): Promise<Request> {
  return request([
    ["Authorization", `DPoP ${token}`],
    ["DPoP", await proofWith(key, "GET", RESOURCE, token)],
  ]);
}

describe("check, without a request", () => {
  it("refuses a bound token that is presented as a bearer token", async () => {
    expect(await notes.check(bound)).toEqual({ invalid: notABearerToken });
  });

  it("accepts it with the proof of a request, and says which part is wrong", async () => {
    const proof = await proofWith(key, "POST", `${RESOURCE}/7`, bound);
    const dpop = { proof, method: "POST", url: `${RESOURCE}/7` };
    expect(await notes.check(bound, { dpop })).toHaveProperty("verified");
    const other = { dpop: { ...dpop, method: "PUT" } };
    expect(await notes.check(bound, other)).toEqual({
      invalid: expect.stringMatching(/^The DPoP proof is not valid: /),
      error: "invalid_dpop_proof",
    });
    expect(await notes.check(unbound, { dpop })).toEqual({
      invalid: notBound,
    });
  });

  it.each([
    ["null", null],
    ["a text", "jkt"],
    ["no member that can be checked", { jwk: { kty: "EC" } }],
    ["nothing", {}],
    ["a thumbprint that is no text", { jkt: 1 }],
  ])("refuses a token whose cnf is %s", async (_, cnf) => {
    const token = await issuer.sign({ cnf });
    const proof = await proofWith(key, "GET", RESOURCE, token);
    const dpop = { proof, method: "GET", url: RESOURCE };
    for (const presentation of [{}, { dpop }])
      expect(await notes.check(token, presentation)).toEqual({
        invalid:
          "The token is bound to a key that this resource cannot check. Get one with a DPoP proof.",
      });
  });
});

describe("a token that is bound to a certificate", () => {
  const digits = "a1".repeat(32);
  const thumbprint = btoa("\xa1".repeat(32)).replace(/=+$/, "");

  /** A request on a connection with a client certificate, as Cloudflare tells of it. */
  function overTls(headers: [string, string][], tlsClientAuth?: object) {
    const cf = { tlsClientAuth };
    return Object.defineProperty(request(headers), "cf", { value: cf });
  }

  const presented = {
    certPresented: "1",
    // A certificate that signs itself is as good, because the token names it.
    certVerified: "FAILED:self signed certificate",
    certRevoked: "0",
    certFingerprintSHA256: digits,
  };

  it("is good on a connection with the certificate, and refused on others", async () => {
    const one = resource({ certificate_of: certificateOfCloudflare });
    const cnf = { "x5t#S256": thumbprint };
    const token = await issuer.sign({ cnf });
    const headers: [string, string][] = [["Authorization", `Bearer ${token}`]];
    expect(await one.authorize(overTls(headers, presented))).toHaveProperty(
      "sub",
    );
    for (const tlsClientAuth of [
      undefined,
      { certPresented: "0", certFingerprintSHA256: "" },
      { certPresented: "0", certFingerprintSHA256: digits },
      { certPresented: "1", certFingerprintSHA256: "b2".repeat(32) },
      { certPresented: "1", certFingerprintSHA256: "garbage" },
      { certPresented: "1" },
      { ...presented, certRevoked: "1" },
    ])
      expect(await refused(one, overTls(headers, tlsClientAuth))).toEqual([
        401,
        "invalid_token",
        "The token is bound to a client certificate, and this resource sees another one or none. Connect with that of the token.",
      ]);
  });

  it("is refused where no option reads certificates, also if a header names one", async () => {
    const token = await issuer.sign({ cnf: { "x5t#S256": thumbprint } });
    const asked = overTls(
      [
        ["Authorization", `Bearer ${token}`],
        ["X-Client-Cert-SHA256", digits],
      ],
      presented,
    );
    expect((await refused(notes, asked)).slice(0, 2)).toEqual([
      401,
      "invalid_token",
    ]);
  });

  it("needs both if it is bound to a key as well", async () => {
    const one = resource({ certificate_of: certificateOfCloudflare });
    const cnf = { jkt: key.jkt, "x5t#S256": thumbprint };
    const token = await issuer.sign({ cnf });
    const proof = await proofWith(key, "GET", RESOURCE, token);
    const headers: [string, string][] = [
      ["Authorization", `DPoP ${token}`],
      ["DPoP", proof],
    ];
    expect(await one.authorize(overTls(headers, presented))).toHaveProperty(
      "sub",
    );
    expect((await refused(one, overTls(headers)))[1]).toBe("invalid_token");
    const asBearer: [string, string][] = [["Authorization", `Bearer ${token}`]];
    expect(await refused(one, overTls(asBearer, presented))).toEqual([
      401,
      "invalid_token",
      notABearerToken,
    ]);
  });
});

describe("the metadata document", () => {
  it("says which proofs are good, and what is required", async () => {
    const read = async (one: ProtectedResource) =>
      one.metadata(new Request(METADATA_URL))?.json<object>();
    const usual = await read(notes);
    expect(usual).toMatchObject({
      dpop_signing_alg_values_supported: proofAlgorithms,
    });
    for (const name of [
      "dpop_bound_access_tokens_required",
      "tls_client_certificate_bound_access_tokens",
    ])
      expect(usual).not.toHaveProperty(name);
    expect(
      await read(
        resource({
          dpop_bound_access_tokens_required: true,
          certificate_of: certificateOfCloudflare,
        }),
      ),
    ).toMatchObject({
      dpop_bound_access_tokens_required: true,
      tls_client_certificate_bound_access_tokens: true,
    });
  });
});

describe("a page of another origin", () => {
  it("may send a proof, and reads the challenge", async () => {
    const handler = resource({ cors: true }).protect(() => new Response("ok"));
    const preflight = await handler(
      request(
        [
          ["Access-Control-Request-Method", "GET"],
          ["Access-Control-Request-Headers", "authorization, dpop"],
        ],
        { method: "OPTIONS" },
      ),
    );
    expect(preflight.headers.get("Access-Control-Allow-Headers")).toBe(
      "authorization, dpop",
    );
    const answer = await handler(await proven(bound));
    expect([
      await answer.text(),
      answer.headers.get("Access-Control-Expose-Headers"),
    ]).toEqual(["ok", "*"]);
  });
});

describe("protect, for Hono", () => {
  it("takes a bound token with its proof, and refuses it as a bearer token", async () => {
    const app = new Hono()
      .use(protect(notes))
      .get("/notes", (c) => c.json({ of: c.var.token?.sub }));
    const good = await app.fetch(await proven(bound));
    expect(await good.json()).toEqual({ of: "alice" });
    const asBearer = request([["Authorization", `Bearer ${bound}`]]);
    expect((await app.fetch(asBearer)).status).toBe(401);
  });
});
