import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with its totals on a line of their own, for whoever reads logs by machine. */
export const totalsReporter: Reporter = {
  onTestRunEnd(testModules, unhandledErrors) {
    const totals = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const notes = new Map<string, number>();
    for (const testModule of testModules) {
      totals.failed += brokenParts(testModule);
      for (const test of testModule.children.allTests()) {
        const result = test.result();
        const { state } = result;
        totals[state === "pending" ? "skipped" : state] += 1;
        if (state !== "skipped") continue;
        const note = result.note ?? "no reason given";
        const name = `${testModule.relativeModuleId}: ${note}`;
        notes.set(name, (notes.get(name) ?? 0) + 1);
      }
    }
    // Loudly: who skips a test should know that it was not run.
    for (const [name, tests] of notes)
      process.stdout.write(`\n*** SKIPPED ${tests} tests of ${name} ***\n`);
    const { passed, failed, skipped } = totals;
    process.stdout.write(
      `\n${passed} passed, ${failed} failed, ${skipped} skipped\n`,
    );
  },
};

/** A module or suite that failed outside of its tests, such as in its imports or hooks. */
function brokenParts(testModule: TestModule): number {
  const suites = [...testModule.children.allSuites()];
  return [testModule, ...suites].filter((part) => part.errors().length > 0)
    .length;
}
