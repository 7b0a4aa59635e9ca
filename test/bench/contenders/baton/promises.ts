import assert from "node:assert/strict";
import { type Guarantees, survivesKill } from "../../guarantees/guarantees.ts";

/** The promises of Baton's README. Baton's figures only count if it keeps them. */

/** A strict client: one attempt succeeds, and any other counts as theft and ends the family. */
export function checkStrict(measured: Guarantees): void {
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

/** A client with a retry window: one exchange, but every attempt inside the window gets its answer. */
export function checkRetryWindow(measured: Guarantees): void {
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
