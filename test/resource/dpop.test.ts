import * as fc from "fast-check";
import { Hono } from "hono";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { proofAlgorithms } from "../../src/dpop/algorithms.ts";
import { protect } from "../../src/resource/hono.ts";
import {
  certificateOfCloudflare,
  type ProtectedResource,
  protectedResource,
  type ResourceOptions,
} from "../../src/resource/index.ts";
import {
  accessTokenHash,
  makeProofKey,
  proof as sign,
  type ProofClaims,
  type ProofKey,
} from "../support/dpop.ts";
import { FakeIssuer, ISSUER, METADATA_URL, RESOURCE } from "./issuer.ts";

/** Tests tokens that are bound to a key (RFC 9449 section 7) or a certificate (RFC 8705 section 3) at a protected resource. */

const rest = `scope="notes:read", resource_metadata="${METADATA_URL}"`;
const algs = `algs="${proofAlgorithms.join(" ")}"`;

let issuer: FakeIssuer;
let key: ProofKey;
let otherKey: ProofKey;
let notes: ProtectedResource;
let bound: string;
let unbound: string;

beforeAll(async () => {
  issuer = await FakeIssuer.start();
  key = await makeProofKey();
  otherKey = await makeProofKey();
  notes = resource();
  bound = await issuer.sign({ cnf: { jkt: key.jkt } });
  unbound = await issuer.sign();
});

/** Makes the proof of a request with a token. Without a token it has no `ath`. */
async function prove(
  htm: string,
  htu: string,
  token?: string,
  {
    by = key,
    claims = {},
    header = {},
  }: { by?: ProofKey; claims?: Partial<ProofClaims>; header?: object } = {},
): Promise<string> {
  const ath = token === undefined ? {} : { ath: await accessTokenHash(token) };
  return sign(by, { htm, htu, ...ath, ...claims }, { ...header });
}

function resource(more: Partial<ResourceOptions> = {}): ProtectedResource {
  return protectedResource({
    resource: RESOURCE,
    issuer: ISSUER,
    scope: "notes:read",
    fetch: issuer.fetch,
    ...more,
  });
}

/** A request with these headers. Several values of one name are several headers. */
function request(
  headers: [name: string, value: string][],
  { url = RESOURCE, method = "GET" } = {},
): Request {
  return new Request(url, { method, headers });
}

/** A request as a client of the key sends it. */
async function proven(
  token: string,
  { url = RESOURCE, method = "GET", by = key } = {},
): Promise<Request> {
  const proof = await prove(method, url, token, { by });
  return request(
    [
      ["Authorization", `DPoP ${token}`],
      ["DPoP", proof],
    ],
    { url, method },
  );
}

/** Status, error code and description of a refusal. The code is in one challenge, that of the scheme. */
async function refused(
  one: ProtectedResource,
  asked: Request,
): Promise<[number, string | undefined, string | undefined]> {
  const answer = await one.authorize(asked);
  if (!(answer instanceof Response)) throw new Error("The token was accepted.");
  const { error, error_description } = await answer.json<{
    error?: string;
    error_description?: string;
  }>();
  const challenge = answer.headers.get("WWW-Authenticate") ?? "";
  expect(challenge.split(`error="${error}"`)).toHaveLength(error ? 2 : 1);
  return [answer.status, error, error_description];
}

const invalidProof = [
  401,
  "invalid_dpop_proof",
  expect.stringMatching(/^The DPoP proof is not valid: /),
];
const notABearerToken = [
  401,
  "invalid_token",
  "The token is bound to a key, and is not a bearer token.",
];
const notBound = [
  401,
  "invalid_token",
  "The token is not bound to a key. Send it as a bearer token.",
];
const malformed = [401, "invalid_token", "The token is malformed."];

describe("a token that is bound to a key", () => {
  it("is good with a proof of the key for this request", async () => {
    expect(await notes.authorize(await proven(bound))).toMatchObject({
      token: bound,
      sub: "alice",
      claims: { cnf: { jkt: key.jkt } },
    });
    const post = await proven(bound, { method: "POST" });
    expect(await notes.authorize(post)).toMatchObject({ token: bound });
  });

  it.each(["dpop", "DPOP", "DPoP "])(
    "may come with the scheme spelled %s",
    async (scheme) => {
      const proof = await prove("GET", RESOURCE, bound);
      const asked = request([
        ["Authorization", `${scheme} ${bound}`],
        ["DPoP", proof],
      ]);
      expect(await notes.authorize(asked)).toMatchObject({ token: bound });
    },
  );

  it("is good for a URL whose query and fragment the proof does not have", async () => {
    const proof = await prove("GET", RESOURCE, bound);
    for (const url of [`${RESOURCE}?page=2`, `${RESOURCE}?a#b`]) {
      const asked = request(
        [
          ["Authorization", `DPoP ${bound}`],
          ["DPoP", proof],
        ],
        { url },
      );
      expect(await notes.authorize(asked)).toMatchObject({ token: bound });
    }
  });

  it("is refused as a bearer token, also with a proof", async () => {
    const proof = await prove("GET", RESOURCE, bound);
    for (const more of [[], [["DPoP", proof]]] as [string, string][][])
      expect(
        await refused(
          notes,
          request([["Authorization", `Bearer ${bound}`], ...more]),
        ),
      ).toEqual(notABearerToken);
  });

  it("is refused with a proof for another method, URL or token, and with none", async () => {
    const proofs = [
      await prove("POST", RESOURCE, bound),
      await prove("get", RESOURCE, bound),
      await prove("GET", `${RESOURCE}/1`, bound),
      await prove("GET", RESOURCE.replace("api", "apis"), bound),
      await prove("GET", RESOURCE.replace("https", "http"), bound),
      await prove("GET", RESOURCE, unbound),
      await prove("GET", RESOURCE),
      await prove("GET", RESOURCE, bound, { claims: { jti: undefined } }),
      await prove("GET", RESOURCE, bound, { claims: { iat: 1 } }),
      await prove("GET", RESOURCE, bound, { header: { typ: "JWT" } }),
      "",
      "garbage",
      "a.b.c",
      "x".repeat(16_384),
      bound,
    ];
    for (const proof of proofs) {
      const asked = request([
        ["Authorization", `DPoP ${bound}`],
        ["DPoP", proof],
      ]);
      expect(await refused(notes, asked)).toEqual(invalidProof);
    }
    const without = request([["Authorization", `DPoP ${bound}`]]);
    expect(await refused(notes, without)).toEqual(invalidProof);
  });

  it("is refused with a proof of another key", async () => {
    const asked = await proven(bound, { by: otherKey });
    expect(await refused(notes, asked)).toEqual([
      401,
      "invalid_token",
      "The token is bound to another key than the proof's.",
    ]);
  });

  it("is refused with two proofs, also if both are good", async () => {
    const asked = await proven(bound);
    asked.headers.append("DPoP", await prove("GET", RESOURCE, bound));
    expect(await refused(notes, asked)).toEqual(invalidProof);
  });

  it("is refused beside another credential", async () => {
    for (const scheme of ["DPoP", "Bearer"]) {
      const asked = await proven(bound);
      asked.headers.append("Authorization", `${scheme} ${bound}`);
      expect(await refused(notes, asked)).toEqual(malformed);
    }
    const asked = await proven(bound);
    asked.headers.set("Authorization", `Bearer ${unbound}, DPoP ${bound}`);
    expect(await refused(notes, asked)).toEqual(malformed);
  });

  it("is refused if it is not good itself, whatever the proof is", async () => {
    const expired = await issuer.sign({ exp: 1, cnf: { jkt: key.jkt } });
    expect(await refused(notes, await proven(expired))).toEqual([
      401,
      "invalid_token",
      "The token has expired.",
    ]);
    const elsewhere = await issuer.sign({ aud: ISSUER, cnf: { jkt: key.jkt } });
    expect(await refused(notes, await proven(elsewhere))).toEqual([
      401,
      "invalid_token",
      "The token is for another resource.",
    ]);
  });

  it("is refused whatever else the headers are, and nothing throws", async () => {
    const header = fc.string({ unit: "grapheme-ascii", maxLength: 200 });
    const good = await prove("GET", RESOURCE, bound);
    await fc.assert(
      fc.asyncProperty(header, header, async (garbage, more) => {
        for (const [authorization, proof] of [
          [garbage, good],
          [`DPoP ${garbage}`, good],
          [`DPoP ${bound}`, garbage],
          [`DPoP ${bound}${more}x`, good],
          [`DPoP ${bound}`, `${good}${more}x`],
        ] as const) {
          const asked = request([
            ["Authorization", authorization],
            ["DPoP", proof],
          ]);
          expect((await refused(notes, asked))[0]).toBe(401);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("is good a second time for the same request, because it was checked already", async () => {
    const asked = await proven(bound);
    const one = resource({ is_new_proof: newOnce() });
    expect(await one.authorize(asked)).toMatchObject({ token: bound });
    expect(await one.authorize(asked)).toMatchObject({ token: bound });
  });

  it("is compared with the URL that the client sees, where url_of says it", async () => {
    const behindProxy = resource({
      url_of: ({ url }) => url.replace("http://internal:8080", RESOURCE),
    });
    const proof = await prove("GET", `${RESOURCE}/7`, bound);
    const asked = () =>
      request(
        [
          ["Authorization", `DPoP ${bound}`],
          ["DPoP", proof],
        ],
        { url: "http://internal:8080/7?page=2" },
      );
    expect(await behindProxy.authorize(asked())).toMatchObject({
      token: bound,
    });
    expect(await refused(notes, asked())).toEqual(invalidProof);
  });
});

/** Remembers ids, as the option `is_new_proof` does. */
function newOnce() {
  const ids = new Set<string>();
  return (id: string) => ids.size < ids.add(id).size;
}

describe("the option is_new_proof", () => {
  it("refuses a proof that comes again, and not that of another key with the same jti", async () => {
    const one = resource({ is_new_proof: newOnce() });
    const ofOther = await issuer.sign({ cnf: { jkt: otherKey.jkt } });
    const jti = "1";
    const sent = async (by: ProofKey, token: string) =>
      request([
        ["Authorization", `DPoP ${token}`],
        ["DPoP", await prove("GET", RESOURCE, token, { by, claims: { jti } })],
      ]);
    expect(await one.authorize(await sent(key, bound))).toHaveProperty("sub");
    expect(await one.authorize(await sent(otherKey, ofOther))).toHaveProperty(
      "sub",
    );
    expect(await refused(one, await sent(key, bound))).toEqual([
      401,
      "invalid_dpop_proof",
      "The DPoP proof is not valid: it was used already.",
    ]);
  });

  it("gets an id of 43 characters, and how long it matters; it is asked about good proofs only", async () => {
    const isNew = vi.fn<(id: string, until: number) => boolean>(() => true);
    const one = resource({ is_new_proof: isNew });
    await refused(one, await proven(bound, { by: otherKey }));
    await refused(one, await proven(unbound));
    expect(isNew).not.toHaveBeenCalled();
    const before = Math.floor(Date.now() / 1000);
    await one.authorize(await proven(bound));
    const [id, until] = isNew.mock.calls[0] ?? [];
    expect(id).toMatch(/^[\w-]{43}$/);
    expect(until).toBeGreaterThanOrEqual(before + 120);
  });

  it("leads to 503 without a challenge if it throws", async () => {
    const one = resource({
      is_new_proof: () => Promise.reject(new Error("The object is away.")),
    });
    const answer = await one.authorize(await proven(bound));
    expect(answer).toMatchObject({ status: 503 });
    expect((answer as Response).headers.has("WWW-Authenticate")).toBe(false);
  });
});

describe("a token that is not bound", () => {
  it("is good as a bearer token, also beside a proof, which adds nothing", async () => {
    const asked = request([
      ["Authorization", `Bearer ${unbound}`],
      ["DPoP", await prove("GET", RESOURCE, unbound)],
    ]);
    expect(await notes.authorize(asked)).toMatchObject({ token: unbound });
  });

  it("is refused with the scheme DPoP", async () => {
    expect(await refused(notes, await proven(unbound))).toEqual(notBound);
  });

  it("is refused where only bound tokens are good", async () => {
    const strict = resource({ dpop_bound_access_tokens_required: true });
    const asBearer = request([["Authorization", `Bearer ${unbound}`]]);
    expect(await refused(strict, asBearer)).toEqual([
      401,
      "invalid_token",
      "This resource needs a token that is bound to a key.",
    ]);
    expect(await refused(strict, await proven(unbound))).toEqual(notBound);
    expect(await strict.authorize(await proven(bound))).toHaveProperty("sub");
  });
});

describe("a challenge", () => {
  const challengeOf = async (one: ProtectedResource, asked: Request) =>
    ((await one.authorize(asked)) as Response).headers.get("WWW-Authenticate");

  it("is one of each scheme, with Bearer first, and the error is in that of the request", async () => {
    expect(await challengeOf(notes, request([]))).toBe(
      `Bearer ${rest}, DPoP ${algs}, ${rest}`,
    );
    const asBearer = request([["Authorization", `Bearer ${bound}`]]);
    expect(await challengeOf(notes, asBearer)).toBe(
      `Bearer error="invalid_token", error_description="${notABearerToken[2]}", ${rest}, DPoP ${algs}, ${rest}`,
    );
    expect(await challengeOf(notes, await proven(unbound))).toBe(
      `Bearer ${rest}, DPoP error="invalid_token", error_description="${notBound[2]}", ${algs}, ${rest}`,
    );
  });

  it("of a missing scope is in the scheme of the token", async () => {
    const cnf = { jkt: key.jkt };
    const token = await issuer.sign({ scope: "notes:write", cnf });
    expect(await challengeOf(notes, await proven(token))).toMatch(
      /^Bearer scope="notes:write notes:read", [^,]*, DPoP error="insufficient_scope"/,
    );
  });

  it("is of DPoP alone where only bound tokens are good", async () => {
    const strict = resource({ dpop_bound_access_tokens_required: true });
    expect(await challengeOf(strict, request([]))).toBe(
      `DPoP ${algs}, ${rest}`,
    );
    const asBearer = request([["Authorization", `Bearer ${unbound}`]]);
    expect(await challengeOf(strict, asBearer)).toMatch(
      /^DPoP error="invalid_token", .*, algs="ES256 /,
    );
  });
});

describe("check, without a request", () => {
  it("refuses a bound token that is presented as a bearer token", async () => {
    expect(await notes.check(bound)).toEqual({ invalid: notABearerToken[2] });
  });

  it("accepts it with the proof of a request, and says which part is wrong", async () => {
    const proof = await prove("POST", `${RESOURCE}/7`, bound);
    const dpop = { proof, method: "POST", url: `${RESOURCE}/7` };
    expect(await notes.check(bound, { dpop })).toHaveProperty("verified");
    const other = { dpop: { ...dpop, method: "PUT" } };
    expect(await notes.check(bound, other)).toEqual({
      invalid: expect.stringMatching(/^The DPoP proof is not valid: /),
      error: "invalid_dpop_proof",
    });
    expect(await notes.check(unbound, { dpop })).toEqual({
      invalid: notBound[2],
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
    const proof = await prove("GET", RESOURCE, token);
    const dpop = { proof, method: "GET", url: RESOURCE };
    for (const presentation of [{}, { dpop }])
      expect(await notes.check(token, presentation)).toEqual({
        invalid: notABearerToken[2],
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
        "The token is bound to a client certificate, and the request has another one or none.",
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
    const proof = await prove("GET", RESOURCE, token);
    const headers: [string, string][] = [
      ["Authorization", `DPoP ${token}`],
      ["DPoP", proof],
    ];
    expect(await one.authorize(overTls(headers, presented))).toHaveProperty(
      "sub",
    );
    expect((await refused(one, overTls(headers)))[1]).toBe("invalid_token");
    const asBearer: [string, string][] = [["Authorization", `Bearer ${token}`]];
    expect(await refused(one, overTls(asBearer, presented))).toEqual(
      notABearerToken,
    );
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
