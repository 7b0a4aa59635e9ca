import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import {
  envLines,
  freshSecrets,
  type Secrets,
} from "../../src/cli/local/dev-vars.ts";
import {
  freePort,
  localUrl,
  projectDirectory,
  spawnWranglerDev,
  whenListening,
} from "../../src/cli/local/wrangler.ts";
import { temporaryDirectory } from "./support.ts";

/** A fault that an operator could make. */
export interface Fault {
  secrets?: Partial<Secrets>;
  /** Variables of wrangler.toml. */
  variables?: Record<string, string>;
  /** Records that somebody has written into KV by hand. */
  records?: Record<string, string>;
  /** Changes the text of wrangler.toml. */
  configuration?: (text: string) => string;
}

const wranglerScript = join(
  dirname(createRequire(import.meta.url).resolve("wrangler/package.json")),
  "bin/wrangler.js",
);

/** Starts a real local server with a fault. @returns the environment of an operator, and its secrets */
export async function serverWithFault({
  secrets: wrong = {},
  variables = {},
  records = {},
  configuration = (text) => text,
}: Fault = {}) {
  const directory = temporaryDirectory();
  const secrets = { ...freshSecrets(), ...wrong };
  writeFileSync(join(directory, "secrets.env"), envLines(secrets));
  const config = join(directory, "wrangler.toml");
  const text = readFileSync(join(projectDirectory, "wrangler.toml"), "utf8");
  const changed = configuration(text).replace(
    'main = "src/index.ts"',
    `main = ${JSON.stringify(join(projectDirectory, "src/index.ts"))}`,
  );
  writeFileSync(config, changed);
  const state = ["--persist-to", join(directory, "state")];
  for (const record of Object.entries(records)) {
    const put = ["kv", "key", "put", "--local", "--binding", "KV", ...state];
    await promisify(execFile)(
      process.execPath,
      [wranglerScript, ...put, "--config", config, ...record],
      { cwd: directory, env: { ...process.env, WRANGLER_HIDE_BANNER: "true" } },
    );
  }

  const port = await freePort();
  const wrangler = spawnWranglerDev(
    port,
    [
      ["--show-interactive-dev-session", "false"],
      state,
      ["--config", config],
      ...Object.entries(variables).map(([name, value]) => [
        "--var",
        `${name}:${value}`,
      ]),
      ["--env-file", join(directory, "secrets.env")],
    ].flat(),
    {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      cwd: directory,
      env: {
        WRANGLER_HIDE_BANNER: "true",
        WRANGLER_CACHE_DIR: join(directory, "cache"),
        WRANGLER_LOG_PATH: join(directory, "logs"),
        WRANGLER_REGISTRY_PATH: join(directory, "registry"),
      },
    },
  );
  onTestFinished(async () => {
    if (wrangler.exitCode !== null) return;
    const ended = once(wrangler, "exit");
    wrangler.kill("SIGTERM");
    await ended;
  });
  await whenListening(wrangler);
  return {
    BATON_URL: localUrl(port),
    BATON_ADMIN_TOKEN: secrets.ADMIN_TOKEN,
  };
}
