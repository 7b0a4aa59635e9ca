import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with its totals on a line of their own, for whoever reads logs by machine. */
export const totalsReporter: Reporter = {
  onTestRunEnd(testModules, unhandledErrors) {
    const totals = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const testModule of testModules) {
      totals.failed += brokenParts(testModule);
      for (const test of testModule.children.allTests()) {
        const { state } = test.result();
        totals[state === "pending" ? "skipped" : state] += 1;
      }
    }
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
