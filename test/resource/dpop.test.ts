import * as fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { proofAlgorithms } from "../../src/dpop/algorithms.ts";
import {
  type ProtectedResource,
  protectedResource,
  type ResourceOptions,
} from "../../src/resource/index.ts";
import {
  makeProofKey,
  type ProofClaims,
  type ProofKey,
} from "../support/dpop.ts";
import { FakeIssuer, ISSUER, METADATA_URL, RESOURCE } from "./issuer.ts";
import { proofWith, refused, request } from "./proven.ts";

/** Tests tokens that are bound to a key at a protected resource (RFC 9449 section 7). */

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
function prove(
  htm: string,
  htu: string,
  token?: string,
  {
    by = key,
    claims = {},
    header = {},
  }: { by?: ProofKey; claims?: Partial<ProofClaims>; header?: object } = {},
): Promise<string> {
  return proofWith(by, htm, htu, token, claims, { ...header });
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

const invalidProof = [
  401,
  "invalid_dpop_proof",
  expect.stringMatching(
    /^The DPoP proof is not valid: .*\. Make a new one for each request\.$/,
  ),
];
const notABearerToken = [
  401,
  "invalid_token",
  "The token is bound to a key, and is not a bearer token. Send it with the scheme DPoP and a proof of the key.",
];
const notBound = [
  401,
  "invalid_token",
  "The token is not bound to a key. Send it with the scheme Bearer.",
];
const malformed = [
  401,
  "invalid_token",
  "The token is malformed. Send one access token in the header Authorization, as it was issued.",
];

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

  it.each([
    ["none", undefined, "there must be one in the header DPoP"],
    [
      "an old one",
      { iat: 1 },
      "the time in its iat is more than a minute from that of this server",
    ],
    [
      "one for another token",
      { ath: "x" },
      "its ath must be the SHA-256 hash of the access token, in base64url",
    ],
  ])(
    "with %s for a proof is told the problem, and to make a new one",
    async (_, claims, problem) => {
      const asked = await proven(bound);
      if (!claims) asked.headers.delete("DPoP");
      else
        asked.headers.set(
          "DPoP",
          await prove("GET", RESOURCE, bound, { claims }),
        );
      const answer = (await notes.authorize(asked)) as Response;
      expect(answer.headers.get("WWW-Authenticate")).toContain(
        `, DPoP error="invalid_dpop_proof", error_description="The DPoP proof is not valid: ${problem}. Make a new one for each request.", ${algs}, `,
      );
    },
  );

  it("is refused with a proof of another key", async () => {
    const asked = await proven(bound, { by: otherKey });
    expect(await refused(notes, asked)).toEqual([
      401,
      "invalid_token",
      "The token is bound to another key than that of the proof. Sign the proof with the key of the token.",
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
      "The token has expired. Get a new one.",
    ]);
    const elsewhere = await issuer.sign({ aud: ISSUER, cnf: { jkt: key.jkt } });
    expect(await refused(notes, await proven(elsewhere))).toEqual([
      401,
      "invalid_token",
      "The token is for another resource. Get one for that which the metadata names.",
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
      "The DPoP proof is not valid: it was used already. Make a new one for each request.",
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
    for (const asked of [asBearer, await proven(unbound)])
      expect(await refused(strict, asked)).toEqual([
        401,
        "invalid_token",
        "This resource needs a token that is bound to a key. Get one with a DPoP proof.",
      ]);
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
