import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { exchange } from "../support/family.ts";
import {
  type Family,
  histories,
  newTally,
  play,
} from "../support/family-model.ts";
import type { ExchangeResult } from "../../src/oauth/repositories.ts";

/** Compares the Durable Object with the same model as the family's rules. */

const HISTORIES = 300;

afterEach(() => {
  vi.useRealTimers();
});

function realFamily(): Family {
  const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
  return {
    create: async (made) => family.create(made),
    redeem: async (made, by, nowMs) => {
      // Of the calls, only this one reads the object's clock. It stays ahead of the real time, so that no alarm
      // goes off during a history.
      vi.useFakeTimers({ toFake: ["Date"], now: nowMs });
      return family.redeem(made, by);
    },
    abandon: async (made, by) => family.abandon(made, by),
    adopt: async (made, by, attempt) =>
      JSON.parse(await family.adopt(made, by, attempt)) as ExchangeResult,
    exchange: (attempt) => exchange(family, attempt),
    revoke: async (key) => family.revoke(key),
    changeClaims: async (changes, now) => family.changeClaims(changes, now),
  };
}

it(`a family's Durable Object agrees with a small model over ${HISTORIES} random histories`, async () => {
  const tally = newTally();
  await fc.assert(
    fc.asyncProperty(histories, (history) =>
      play(history, realFamily(), tally),
    ),
    { numRuns: HISTORIES },
  );
  // The histories must contain enough exchanges, so that the test shows something.
  expect(tally.exchanged).toBeGreaterThan(HISTORIES);
  expect(tally.steps).toBeGreaterThan(5 * HISTORIES);
  for (const count of [
    tally.codeRepeated,
    tally.codeReused,
    tally.claimsChanged,
    tally.late,
    tally.stolen,
    tally.boundLater,
  ])
    expect(count).toBeGreaterThan(0);
});
