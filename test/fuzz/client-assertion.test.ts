import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { asParameters, goodClaims, KeyClient } from "../support/assertions.ts";
import { encoded, signedWith } from "../support/raw-proof.ts";
import { type ErrorBody, server } from "../support/server.ts";
import { hostile } from "./arbitraries.ts";

/** Tests arbitrary client assertions: no 5xx, and no refusal uses up a refresh token or an assertion. */

const RUNS = 300;

let client: KeyClient;

beforeAll(async () => {
  const grant_types = ["client_credentials", "refresh_token"];
  client = await KeyClient.make({ grant_types });
});

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  hostile,
  fc.constantFrom<unknown>(
    undefined,
    "ES256",
    "RS256",
    "EdDSA",
    "HS256",
    "none",
    "client-authentication+jwt",
    Number.MAX_VALUE,
    -1,
    1e-300,
    [],
    ["https://auth.example.com"],
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

const headerChanges = changesOf(
  "typ",
  "alg",
  "kid",
  "crit",
  "b64",
  "jwk",
  "x5c",
);
const claimChanges = changesOf("iss", "sub", "aud", "exp", "iat", "nbf", "jti");

/** A change of the text of an assertion. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.integer({ min: 0, max: 40 }),
  added: fc.oneof(
    hostile,
    fc.constantFrom(".", "..", "=", "A", "{}", "e30."),
    fc.constant("A".repeat(9_000)),
  ),
});

const header = { alg: "ES256" };
const claims = () => ({ ...goodClaims(client.client_id) });

/** Makes an assertion. */
const recipe: fc.Arbitrary<() => Promise<string>> = fc.oneof(
  claimChanges.map(
    (changes) => () =>
      signedWith(client.key, header, { ...claims(), ...changes }),
  ),
  headerChanges.map(
    (changes) => () =>
      signedWith(client.key, { ...header, ...changes }, claims()),
  ),
  fc.tuple(hostile, fc.boolean()).map(([text, inHeader]) => () => {
    const part = text.toWellFormed();
    return inHeader
      ? signedWith(client.key, part, claims())
      : signedWith(client.key, header, part);
  }),
  fc
    .uint8Array({ maxLength: 80 })
    .map(
      (signature) => async () =>
        `${encoded(header)}.${encoded(claims())}.${encoded(signature)}`,
    ),
  edit.map(({ at, removed, added }) => async () => {
    const good = await client.assertion();
    const start = Math.floor(at * good.length);
    return good.slice(0, start) + added + good.slice(start + removed);
  }),
  hostile.map((text) => async () => text),
);

describe("the token endpoint", () => {
  it(`answers ${RUNS} arbitrary assertions without a 5xx, and no refusal uses anything up`, async () => {
    let { refresh_token } = await client.login();
    const outcomes: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(
        recipe,
        fc.boolean(),
        fc.boolean(),
        async (make, isRefresh, hasId) => {
          const assertion = (await make()).toWellFormed();
          const form = {
            ...(isRefresh
              ? { grant_type: "refresh_token", refresh_token }
              : { grant_type: "client_credentials" }),
            ...(hasId && { client_id: client.client_id }),
            ...asParameters(assertion),
          };
          const response = await server.token(form);
          expect(response.status).toBeLessThan(500);
          const body = await response.json<
            Partial<ErrorBody> & { refresh_token?: string }
          >();
          const outcome = body.error ?? "ok";
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
          if (outcome === "ok")
            refresh_token = body.refresh_token ?? refresh_token;
          else expect(outcome).toMatch(/^(invalid_client|invalid_request)$/);
        },
      ),
      { numRuns: RUNS },
    );
    // The token that a refusal did not use up can still be exchanged.
    expect((await client.refresh(refresh_token)).status).toBe(200);
    // The assertions must reach every outcome: if all of them failed at the first check, they would show little.
    for (const outcome of ["ok", "invalid_client"])
      expect(outcomes[outcome] ?? 0, outcome).toBeGreaterThan(5);
  }, 180_000);
});
