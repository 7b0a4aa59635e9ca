import * as fc from "fast-check";
import { expect, it } from "vitest";
import { judgeClaims } from "../../../src/oauth/family/claims.ts";
import { judgeExchange } from "../../../src/oauth/family/exchange.ts";
import type {
  FamilyRecord,
  Verdict,
} from "../../../src/oauth/family/record.ts";
import {
  judgeAbandonment,
  judgeAdoption,
  judgeCreation,
  judgeRedemption,
} from "../../../src/oauth/family/redemption.ts";
import { judgeRevocation } from "../../../src/oauth/family/revocation.ts";
import {
  type Family,
  histories,
  newTally,
  play,
} from "../../support/family-model.ts";

/** The family's rules are pure functions, so they run on plain Node, without a platform. */

const HISTORIES = 200_000;

/** Makes a family that consists of its record only. */
function recordedFamily(): Family {
  let record: FamilyRecord | undefined;
  const apply = <Result>(verdict: Verdict<Result>): Result => {
    record = verdict.record ?? record;
    return verdict.result;
  };
  return {
    create: (family) => apply(judgeCreation(record, family)),
    redeem: (family, by, nowMs) =>
      apply(judgeRedemption(record, family, by, nowMs)),
    abandon: (family, by) => apply(judgeAbandonment(record, family, by)),
    adopt: (family, by, attempt) =>
      apply(judgeAdoption(record, family, by, attempt)),
    exchange: (attempt) => apply(judgeExchange(record, attempt)),
    revoke: (key) => apply(judgeRevocation(record, key)),
    changeClaims: (changes, now) => apply(judgeClaims(record, changes, now)),
  };
}

it(`the family's rules agree with a small model over ${HISTORIES} random histories`, async () => {
  const tally = newTally();
  await fc.assert(
    fc.asyncProperty(histories, (history) =>
      play(history, recordedFamily(), tally),
    ),
    { numRuns: HISTORIES },
  );
  // The histories must contain enough exchanges, so that the test shows something.
  expect(tally.exchanged).toBeGreaterThan(HISTORIES);
  expect(tally.steps).toBeGreaterThan(5 * HISTORIES);

  for (const count of [tally.retried, tally.takenBack, tally.reused])
    expect(count).toBeGreaterThan(HISTORIES / 10);
  for (const count of [tally.codeRepeated, tally.codeReused])
    expect(count).toBeGreaterThan(HISTORIES / 50);
  expect(tally.claimsChanged).toBeGreaterThan(HISTORIES / 10);
  for (const count of [tally.stolen, tally.boundLater])
    expect(count).toBeGreaterThan(HISTORIES / 10);
  expect(tally.late).toBeGreaterThan(HISTORIES / 50);
  for (const count of [tally.ended, tally.tooOld])
    expect(count).toBeGreaterThan(HISTORIES / 200);
  expect(tally.recorded).toBeGreaterThan(HISTORIES / 500);
});
