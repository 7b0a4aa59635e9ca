import type { TestProject } from "vitest/node";
import { buildWorker } from "./releases.ts";

/** Builds today's Worker once for all files of this folder, and again before each further run of a watching vitest. */
export default async function provideToday(
  project: TestProject,
): Promise<void> {
  project.provide("today", await buildWorker());
  project.onTestsRerun(async () =>
    project.provide("today", await buildWorker()),
  );
}

declare module "vitest" {
  export interface ProvidedContext {
    /** The code of today's Worker. */
    today: string;
  }
}
