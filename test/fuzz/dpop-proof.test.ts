import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { proofOf, proving } from "../support/proving.ts";
import {
  encoded,
  goodClaims,
  headerOf,
  signedWith,
} from "../support/raw-proof.ts";
import { server, type ErrorBody, type Tokens } from "../support/server.ts";
import { hostile } from "./arbitraries.ts";

/** Tests arbitrary DPoP proofs: no 5xx, and no refusal uses up the refresh token. */

const RUNS = 300;

let client: { client_id: string };
let key: ProofKey;

beforeAll(async () => {
  client = await server.makeClient({ token_endpoint_auth_method: "none" });
  key = await makeProofKey();
});

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  hostile,
  fc.uint8Array({ maxLength: 70 }).map(encoded),
  fc.constantFrom<unknown>(
    undefined,
    "ES256",
    "HS256",
    "none",
    "EC",
    "oct",
    "RSA",
    "P-384",
    Number.MAX_VALUE,
    -1,
    ["b64"],
    { toString: 1 },
    [{ valueOf: null, toString: null }],
  ),
);

/** Members that are set to another value, or left out. */
const changesOf = (...names: string[]) =>
  fc
    .array(fc.tuple(fc.oneof(fc.constantFrom(...names), hostile), value), {
      minLength: 1,
      maxLength: 2,
    })
    .map((entries) => Object.fromEntries(entries));

const jwkChanges = changesOf("kty", "crv", "x", "y", "n", "e", "d", "k");
const headerChanges = changesOf("typ", "alg", "jwk", "crit", "b64", "kid");
const claimChanges = fc.oneof(
  changesOf("jti", "htm", "htu", "iat", "nonce", "exp", "nbf"),
  fc.record({ nonce: hostile }),
  fc.record({ iat: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
);

/** A change of the text of a proof. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.integer({ min: 0, max: 40 }),
  added: fc.oneof(
    hostile,
    fc.constantFrom(".", "..", ",", "=", "A", "{}", "e30."),
    fc.integer({ min: 1_000, max: 9_000 }).map((length) => "A".repeat(length)),
  ),
});

/** Makes a proof. */
const recipe: fc.Arbitrary<(key: ProofKey) => Promise<string>> = fc.oneof(
  claimChanges.map(
    (changes) => (key: ProofKey) =>
      signedWith(key, headerOf(key), goodClaims(changes)),
  ),
  headerChanges.map(
    (changes) => (key: ProofKey) =>
      signedWith(key, headerOf(key, changes), goodClaims()),
  ),
  jwkChanges.map((changes) => (key: ProofKey) => {
    const header = headerOf(key, { jwk: { ...key.jwk, ...changes } });
    return signedWith(key, header, goodClaims());
  }),
  fc.tuple(hostile, fc.boolean()).map(([text, inHeader]) => (key: ProofKey) => {
    const part = text.toWellFormed();
    return inHeader
      ? signedWith(key, part, goodClaims())
      : signedWith(key, headerOf(key), part);
  }),
  fc
    .uint8Array({ maxLength: 80 })
    .map(
      (signature) => async (key: ProofKey) =>
        `${encoded(headerOf(key))}.${encoded(goodClaims())}.${encoded(signature)}`,
    ),
  edit.map(({ at, removed, added }) => async (key: ProofKey) => {
    const good = await proofOf(key);
    const start = Math.floor(at * good.length);
    return good.slice(0, start) + added + good.slice(start + removed);
  }),
  hostile.map((text) => async () => text),
);

/** Replaces each character that a header cannot have. */
function asHeader(text: string): string {
  return text.replaceAll(/[^\t\x20-\x7e]/g, "~");
}

describe("the token endpoint", () => {
  it(`answers ${RUNS} arbitrary DPoP proofs without a 5xx, and no refusal uses up the token`, async () => {
    let { refresh_token } = await proving(key).expectRefresh(
      client,
      (await server.login(client)).refresh_token,
    );
    const outcomes: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(recipe, async (make) => {
        const DPoP = asHeader(await make(key));
        const response = await server.token(
          { grant_type: "refresh_token", refresh_token, ...client },
          { DPoP },
        );
        expect(response.status).toBeLessThan(500);
        const body = await response.json<Partial<Tokens & ErrorBody>>();
        const outcome = body.error ?? "ok";
        expect([outcome, response.headers.get("DPoP-Nonce")]).toEqual([
          outcome,
          ["ok", "use_dpop_nonce"].includes(outcome)
            ? expect.stringMatching(/^[\w-]{28}$/)
            : null,
        ]);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        if (body.error === undefined) {
          refresh_token = body.refresh_token ?? "";
          expect(body.token_type).toBe("DPoP");
          return;
        }
        expect(body.error).toMatch(/^(invalid_dpop_proof|use_dpop_nonce)$/);
        expect(body.error_description).toMatch(
          /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,400}$/,
        );
        // The refusal did not use up the token, because it can still be exchanged.
        const next = await proving(key).expectRefresh(client, refresh_token);
        refresh_token = next.refresh_token;
      }),
      { numRuns: RUNS },
    );
    // The proofs must reach every outcome: if all of them failed at the first check, they would show little.
    for (const outcome of ["ok", "invalid_dpop_proof", "use_dpop_nonce"])
      expect(outcomes[outcome] ?? 0, outcome).toBeGreaterThan(5);
  }, 180_000);
});
