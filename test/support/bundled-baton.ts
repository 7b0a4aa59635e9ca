import { copyFileSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { wranglerScript } from "../../src/cli/local/wrangler.ts";

/**
 * The command line as one file of JavaScript. The tests start `baton` more than a thousand times, and Node needs
 * more than half of each start to find and read the 300 files of the sources. docs.node.test.ts, test/incidents/ and
 * some tests of test/cli/command-line.test.ts start the sources, as users do.
 */

const project = join(import.meta.dirname, "../..");

/** Three folders below the project, as src/cli/local/ is, because from there the command line finds the project. */
const bundledBaton = join(project, "node_modules/.cache/baton/baton.mjs");

/** The bundle of a checkout. A copy of the project has one from `copyBundle`. */
export function bundleOf(checkout: string): string {
  return checkout === project
    ? bundledBaton
    : join(checkout, "src/cli/local/baton.mjs");
}

export function copyBundle(copy: string): void {
  copyFileSync(bundledBaton, bundleOf(copy));
}

interface Esbuild {
  build: (options: Record<string, unknown>) => Promise<unknown>;
}

async function bundle(): Promise<void> {
  // The esbuild that bundles the Worker.
  const { build } = createRequire(wranglerScript)("esbuild") as Esbuild;
  // Renamed when it is whole, because another run of the tests may start the bundle now.
  const unfinished = `${bundledBaton}.${process.pid}`;
  await build({
    entryPoints: [join(project, "src/cli/baton.ts")],
    outfile: unfinished,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "esnext",
    external: ["wrangler"],
    // commander is CommonJS.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    logLevel: "error",
  });
  renameSync(unfinished, bundledBaton);
}

/** Makes the bundle before the tests, and again before each further run of a watching vitest. */
export default async function bundleBaton(node: TestProject): Promise<void> {
  await bundle();
  node.onTestsRerun(bundle);
}
