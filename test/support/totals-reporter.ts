import type { Reporter, TestModule } from "vitest/node";

/** Prints the totals of a run on a line of their own at its end, so that a program can read them. */
export const totalsReporter: Reporter = {
  onTestRunEnd(testModules, unhandledErrors) {
    const totals = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const notes = new Map<string, number>();
    for (const testModule of testModules) {
      totals.failed += countBrokenParts(testModule);
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
    // Skipped tests stand out, because they were not run.
    for (const [name, tests] of notes)
      process.stdout.write(`\n*** SKIPPED ${tests} tests of ${name} ***\n`);
    const { passed, failed, skipped } = totals;
    process.stdout.write(
      `\n${passed} passed, ${failed} failed, ${skipped} skipped\n`,
    );
  },
};

/** Counts the modules and suites that failed outside of their tests, such as in imports or hooks. */
function countBrokenParts(testModule: TestModule): number {
  const suites = [...testModule.children.allSuites()];
  return [testModule, ...suites].filter((part) => part.errors().length > 0)
    .length;
}
