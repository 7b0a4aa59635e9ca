import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { replaceFile } from "../../support/replace-file.ts";

/**
 * Takes the place of the package wrangler in setup, which calls one function of it. The package needs most of a
 * second to load, and most tests of setup have the same wrangler.toml. So wrangler itself reads each text once in a
 * run of the tests, and its answer is kept beside the compiled code.
 */

type Read = typeof import("wrangler").experimental_readRawConfig;
type Answer = Pick<ReturnType<Read>, "rawConfig">;

const directory = process.env["NODE_COMPILE_CACHE"] ?? "";

export function experimental_readRawConfig(args: { config: string }): Answer {
  const text = readFileSync(args.config);
  const name = createHash("sha256").update(text).digest("hex");
  const kept = join(directory, `wrangler-toml-${name}.json`);
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, "utf8")) as Answer;
  const { rawConfig } = readByWrangler()(args);
  replaceFile(kept, JSON.stringify({ rawConfig }));
  return { rawConfig };
}

/** By its folder, because the name of the package leads here. */
function readByWrangler(): Read {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve("wrangler/package.json"));
  return (require(folder) as { experimental_readRawConfig: Read })
    .experimental_readRawConfig;
}
