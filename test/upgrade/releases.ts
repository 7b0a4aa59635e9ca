import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import type { Records } from "./records.ts";

/** What this folder keeps of each released version, and the Worker of today beside it. */

const root = join(import.meta.dirname, "../..");
const wrangler = createRequire(import.meta.url).resolve(
  "wrangler/package.json",
);

/** The version in package.json. */
export const currentVersion = (
  JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    version: string;
  }
).version;

export const WORKER_FILE = "worker.js.gz";
export const RECORDS_FILE = "records.json";

/** The versions that are kept, the oldest first. */
export const keptVersions: readonly string[] = readdirSync(import.meta.dirname)
  .filter((name) => existsSync(fileOf(name, WORKER_FILE)))
  .toSorted((one, other) => {
    const collator = new Intl.Collator("en", { numeric: true });
    return collator.compare(one, other);
  });

/**
 * The versions that a deployment of today's code may meet: the version of package.json, as it was released, and the
 * one before.
 */
export const neighbours: readonly string[] = keptVersions.slice(-2);

export function fileOf(version: string, file: string): string {
  return join(import.meta.dirname, version, file);
}

/** The code of a released Worker. */
export function keptWorker(version: string): string {
  return gunzipSync(readFileSync(fileOf(version, WORKER_FILE))).toString();
}

/** What the server of a released version stored, and the tokens that were in flight. */
export function keptRecords(version: string): Records {
  return JSON.parse(
    readFileSync(fileOf(version, RECORDS_FILE), "utf8"),
  ) as Records;
}

/** Builds the Worker of this checkout as `wrangler deploy` does. @returns its code */
export async function buildWorker(): Promise<string> {
  const outdir = mkdtempSync(join(tmpdir(), "baton-release-"));
  try {
    const config = join(root, "wrangler.toml");
    const options = ["--config", config, "--dry-run", "--outdir", outdir];
    await promisify(execFile)(
      process.execPath,
      [join(dirname(wrangler), "bin/wrangler.js"), "deploy", ...options],
      {
        cwd: root,
        env: {
          ...process.env,
          WRANGLER_SEND_METRICS: "false",
          WRANGLER_HIDE_BANNER: "true",
        },
      },
    );
    const [script, ...more] = readdirSync(outdir).filter((file) =>
      file.endsWith(".js"),
    );
    if (script === undefined || more.length > 0)
      throw new Error("The Worker is not one module.");
    return withoutSourceMap(readFileSync(join(outdir, script), "utf8"));
  } finally {
    await rm(outdir, { recursive: true });
  }
}

/** Removes the comment that names a source map, because no source map is kept. */
export function withoutSourceMap(code: string): string {
  return code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n");
}
