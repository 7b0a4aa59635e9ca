import type { Reporter } from "vitest/node";

const MAX_FILES = 10;

/** Prints the slowest test files, and the times of the steps before the tests that `npm run check` passes on. */
export const timesReporter: Reporter = {
  onTestRunEnd(testModules) {
    const files = testModules
      .map((testModule) => {
        const { collectDuration, setupDuration, duration } =
          testModule.diagnostic();
        const seconds = (setupDuration + collectDuration + duration) / 1000;
        return { name: testModule.relativeModuleId, seconds };
      })
      .toSorted((one, other) => other.seconds - one.seconds)
      .slice(0, MAX_FILES);
    print(
      "The slowest test files:",
      files.map(({ name, seconds }) => [name, seconds]),
    );

    const steps = process.env["CHECK_STEPS"];
    if (steps === undefined) return;
    print("The steps of npm run check:", [
      ...(JSON.parse(steps) as Time[]),
      ["tests", performance.now() / 1000],
    ]);
  },
};

/** What took how many seconds. */
export type Time = [name: string, seconds: number];

function print(heading: string, times: Time[]): void {
  const lines = times.map(
    ([name, seconds]) => `${seconds.toFixed(1).padStart(7)} s  ${name}`,
  );
  process.stdout.write(`\n${[heading, ...lines].join("\n")}\n`);
}
