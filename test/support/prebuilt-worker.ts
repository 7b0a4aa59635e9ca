import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import {
  projectDirectory,
  wranglerScript,
} from "../../src/cli/local/wrangler.ts";

/**
 * The Worker of a local server, built once for all servers of `prebuilt-server.ts`, because every start of `wrangler dev`
 * loads wrangler and builds the Worker again.
 */

/** The built Worker and its configuration for Miniflare, in the folder of the run. */
export const CODE = "index.js";
export const OPTIONS = "options.json";

/** The bindings that wrangler.toml gives the Worker. */
export type PrebuiltOptions = ReturnType<
  typeof import("wrangler").unstable_getMiniflareWorkerOptions
>["workerOptions"];

const localEntry = join(projectDirectory, "src/dev/index.ts");

async function build(folder: string): Promise<void> {
  const config = join(projectDirectory, "wrangler.toml");
  const options = ["--dry-run", "--outdir", folder, "--config", config];
  await promisify(execFile)(
    process.execPath,
    [wranglerScript, "deploy", localEntry, ...options],
    {
      env: {
        ...process.env,
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
      },
    },
  );
  // Loaded here, because that takes seconds, and the tests import this file, too.
  const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  writeFileSync(join(folder, OPTIONS), JSON.stringify(workerOptions));
}

/** Builds the Worker before the tests, and again before each further run of a watching vitest. */
export default async function prebuildWorker(
  project: TestProject,
): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), "baton-worker-"));
  await build(folder);
  project.provide("prebuiltWorker", folder);
  project.onTestsRerun(() => build(folder));
  return () => rmSync(folder, { recursive: true, force: true });
}

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder with the built Worker. */
    prebuiltWorker: string;
  }
}
