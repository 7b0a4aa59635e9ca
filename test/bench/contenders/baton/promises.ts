import assert from "node:assert/strict";
import { type Guarantees, survivesKill } from "../../guarantees/guarantees.ts";

/** What Baton's README promises, without which no figure of it is of interest. */

/** One exchange; whoever comes after it is taken for a thief, and the family has ended. */
export function promisesOfStrict(measured: Guarantees): void {
  for (const { attempts: _, ...race } of measured.races)
    assert.deepEqual(race, { successes: 1, successors: 1, living: 0 });
  assert.deepEqual(measured.replay, {
    old: "refused",
    newestLivesAfterOld: false,
    previous: "refused",
    newestLivesAfterPrevious: false,
  } satisfies Guarantees["replay"]);
  assert.ok(survivesKill(measured));
}

/** One exchange too, but all who ask inside the window hear of it: an answer can't get lost. */
export function promisesOfRetryWindow(measured: Guarantees): void {
  for (const { attempts, ...race } of measured.races)
    assert.deepEqual(race, { successes: attempts, successors: 1, living: 1 });
  assert.deepEqual(measured.replay, {
    old: "refused",
    newestLivesAfterOld: false,
    previous: "same successor",
    newestLivesAfterPrevious: true,
  } satisfies Guarantees["replay"]);
  assert.ok(survivesKill(measured));
  const { tried, goneOn } = measured.crash.unanswered;
  assert.equal(goneOn, tried);
}
