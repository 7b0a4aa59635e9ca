import type { Reporter, TestModule, Vitest } from "vitest/node";
import { refusals } from "../../src/oauth/refusals.ts";

/** Fails a complete run if a reason in the table of refusals was not asserted by any test. */
class ReasonsReporter implements Reporter {
  #vitest: Vitest | undefined;
  #isComplete = false;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  async onTestRunStart(chosen: readonly unknown[]): Promise<void> {
    if (!this.#vitest) return;
    const { project, testNamePattern } = this.#vitest.config;
    const all = await this.#vitest.globTestSpecifications();
    this.#isComplete =
      project.length === 0 && !testNamePattern && chosen.length === all.length;
  }

  onTestRunEnd(testModules: readonly TestModule[]): void {
    if (!this.#isComplete) return;
    const asserted = new Set(testModules.flatMap(reasonsOf));
    const missing = Object.keys(refusals).filter(
      (reason) => !asserted.has(reason),
    );
    if (missing.length === 0) return;
    process.exitCode = 1;
    process.stdout.write(
      `\nNo test that passed has asserted: ${missing.join(", ")}. Every reason of src/oauth/refusals.ts needs one.\n`,
    );
  }
}

export const reasonsReporter = new ReasonsReporter();

function reasonsOf(testModule: TestModule): string[] {
  return [...testModule.children.allTests("passed")].flatMap(
    (test) => test.meta().reasons ?? [],
  );
}
