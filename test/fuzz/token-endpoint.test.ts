import * as fc from "fast-check";
import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { apply, changeOf, hostile } from "./arbitraries.ts";
import { countingBindings } from "../support/counting.ts";
import {
  basic,
  refusal,
  server,
  serverWith,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/** Tests arbitrary requests: no 5xx, no token used up by a refusal, no forged token accepted. */

const RUNS = 1500;

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read");
  client = await server.makeClient({ scope: "read" });
});

const names = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      "grant_type",
      "refresh_token",
      "client_id",
      "client_secret",
      "scope",
      "resource",
    ),
  },
  { weight: 1, arbitrary: hostile },
);

const change = changeOf(names);

const request = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 4 }),
  contentType: fc.oneof(
    { weight: 6, arbitrary: fc.constant("application/x-www-form-urlencoded") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "",
        "application/json",
        "text/plain",
        "multipart/form-data",
      ),
    },
  ),
  authorization: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.oneof(
        fc.base64String({ maxLength: 60 }).map((text) => `Basic ${text}`),
        fc.tuple(hostile, hostile).map(([id, secret]) => {
          const wellFormed = (text: string) => text.toWellFormed();
          return basic(wellFormed(id), wellFormed(secret));
        }),
        fc.constantFrom(
          "Basic",
          "Basic :",
          "Bearer x",
          "basic  =",
          "Basic ====",
          "Digest x",
        ),
      ),
    },
  ),
  garble: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  ),
});

describe("the token endpoint", () => {
  it(`answers ${RUNS} malformed requests without a 5xx, and no refusal uses up the token`, async () => {
    let { refresh_token } = await server.login(client);
    const outcomes: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(
        request,
        async ({ changes, contentType, authorization, garble }) => {
          const form = new URLSearchParams({
            grant_type: "refresh_token",
            refresh_token,
            client_id: client.client_id,
            client_secret: client.client_secret,
          });
          for (const paramChange of changes) apply(form, paramChange);
          const response = await server.http("/access_token", {
            method: "POST",
            headers: {
              "Content-Type": contentType,
              ...(authorization !== undefined && {
                Authorization: authorization,
              }),
            },
            body: garble ?? form.toString(),
          });
          expect(response.status).toBeLessThan(500);
          const body = await response.json<
            Partial<Tokens> & { error?: string; error_description?: string }
          >();
          outcomes[body.error ?? "ok"] =
            (outcomes[body.error ?? "ok"] ?? 0) + 1;
          if (response.status === 200) {
            refresh_token = body.refresh_token ?? "";
          } else {
            expect(body.error).toMatch(
              /^(invalid|unsupported|unauthorized)_[a-z_]+$/,
            );
            expect(body.error_description).toMatch(
              /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/,
            );
            // The refusal did not use up the token, because it can still be exchanged.
            ({ refresh_token } = await server.expectRefresh(
              client,
              refresh_token,
            ));
          }
        },
      ),
      { numRuns: RUNS },
    );
    // The requests must reach every outcome: if all of them failed at the first check, they would show little.
    for (const outcome of [
      "ok",
      "invalid_request",
      "invalid_client",
      "invalid_grant",
      "invalid_scope",
    ]) {
      expect(outcomes[outcome] ?? 0, outcome).toBeGreaterThan(10);
    }
  }, 180_000);
});

describe("the verification of refresh tokens", () => {
  const PREFIX = "baton_rt_";

  it(`refuses ${RUNS} forgeries made from real tokens, without calling a family`, async () => {
    const tokens = await Promise.all(
      Array.from(
        { length: 8 },
        async () => (await server.login(client)).refresh_token,
      ),
    );
    const bodies = tokens.map((token) =>
      base64url.decode(token.slice(PREFIX.length)),
    );
    const forgery = fc.oneof(
      fc
        .tuple(
          fc.nat(7),
          fc.array(fc.tuple(fc.nat(104), fc.integer({ min: 1, max: 255 })), {
            minLength: 1,
            maxLength: 5,
          }),
        )
        .map(([which, flips]) => {
          const bytes = bodies[which]!.slice();
          for (const [at, mask] of flips) bytes[at]! ^= mask;
          return bytes;
        }),
      fc
        .tuple(fc.nat(7), fc.nat(7), fc.integer({ min: 1, max: 104 }))
        .map(([one, other, cut]) => {
          const bytes = bodies[one]!.slice();
          bytes.set(bodies[other]!.subarray(cut), cut);
          return bytes;
        }),
      fc
        .tuple(fc.nat(7), fc.integer({ min: 0, max: 104 }))
        .map(([which, end]) => bodies[which]!.slice(0, end)),
      fc.uint8Array({ minLength: 105, maxLength: 105 }),
      fc.uint8Array({ minLength: 0, maxLength: 200 }),
    );
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    await counted.refresh(client, "x");
    const before = { ...calls };
    const genuine = new Set(tokens);
    let forged = 0;
    await fc.assert(
      fc.asyncProperty(forgery, async (bytes) => {
        const token = PREFIX + base64url.encode(bytes);
        if (genuine.has(token)) return;
        forged += 1;
        const response = await counted.refresh(client, token);
        const isShaped = bytes.length === 105 && bytes[0] === 1;
        const reason = `refresh_token_${isShaped ? "forged" : "malformed"}`;
        expect(await refusal(response)).toEqual([400, "invalid_grant", reason]);
      }),
      { numRuns: RUNS },
    );
    expect(forged).toBeGreaterThan(RUNS / 2);
    expect(calls).toEqual(before);
    for (const token of tokens) await server.expectRefresh(client, token);
  }, 120_000);
});
