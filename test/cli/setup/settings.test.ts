import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { wranglerScript } from "../../../src/cli/local/wrangler.ts";
import { FakeCloudflare, ISSUER } from "./support.ts";

/** wrangler.json as wrangler itself reads it: what `npx wrangler deploy` would upload. */

const staging = "https://baton-staging.example.workers.dev";

/** Runs the real wrangler as a person in the project's folder. */
function deployDryRun(directory: string, ...args: string[]) {
  // npx puts the project's programs first on the PATH.
  const path = join(directory, "node_modules/.bin");
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [wranglerScript, "deploy", "--dry-run", "--outdir", "tmp/out", ...args],
    {
      cwd: directory,
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${path}:${dirname(process.execPath)}:${process.env["PATH"]}`,
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        NO_COLOR: "1",
      },
    },
  );
  return { status, output: stdout + stderr };
}

test("plain `npx wrangler deploy` deploys the settings, each environment with its own, and refuses those of an older version", async () => {
  const cloudflare = await FakeCloudflare.start();
  const { directory, settingsFile } = cloudflare;
  await cloudflare.setup(["--env", "production", "--issuer", ISSUER, "--yes"]);
  // wrangler writes the id of the namespace that it has made.
  const { settings } = cloudflare;
  settings.kv_namespaces[0]!.id = "0f2ac74b498b48028cb68387c421e279";
  writeFileSync(settingsFile, JSON.stringify(settings, undefined, 2));
  await cloudflare.setup(["--env", "staging", "--issuer", staging, "--yes"]);

  const top = deployDryRun(directory);
  expect(top.status).toBe(0);
  expect(top.output).toContain(`env.ISSUER ("${ISSUER}")`);
  expect(top.output).toContain("0f2ac74b498b48028cb68387c421e279");
  const block = deployDryRun(directory, "--env", "staging");
  expect(block.status).toBe(0);
  expect(block.output).toContain('env.ISSUER ("https://baton-staging.example');
  // The records of production are not those of staging.
  expect(block.output).not.toContain("0f2ac74b498b48028cb68387c421e279");
  expect(block.output).not.toContain("WARNING");
  const bindings = (output: string) =>
    [...output.matchAll(/^env\.(\w+)/gm)]
      .map(([, name]) => String(name))
      .toSorted();
  expect(bindings(block.output)).toEqual(bindings(top.output));
  expect(bindings(top.output)).toEqual(
    expect.arrayContaining(["KV", "TOKEN_FAMILY", "GUESSES_PER_SITE"]),
  );

  // A new version of the project needs a binding that the settings do not have.
  appendFileSync(
    join(directory, "wrangler.toml"),
    '\n[[analytics_engine_datasets]]\nbinding = "NEW_METRICS"\ndataset = "baton"\n',
  );
  const stale = deployDryRun(directory, "--env", "staging");
  expect(stale.status).toBe(1);
  expect(stale.output).toContain("npm run baton -- setup --update");
  const updated = await cloudflare.setup(["--update"]);
  expect(updated.stdout).toContain("npx wrangler deploy --env staging");
  const fresh = deployDryRun(directory, "--env", "staging");
  expect(fresh.status).toBe(0);
  expect(fresh.output).toContain("env.NEW_METRICS");
  expect(fresh.output).toContain('env.ISSUER ("https://baton-staging.example');
  expect(cloudflare.settings.kv_namespaces[0]?.id).toBe(
    "0f2ac74b498b48028cb68387c421e279",
  );

  const text = readFileSync(settingsFile, "utf8");
  expect((await cloudflare.setup(["--update"])).stdout).toContain("Nothing is");
  expect(readFileSync(settingsFile, "utf8")).toBe(text);
});

test("plain `npx wrangler deploy` is refused while only another environment is set up", async () => {
  const cloudflare = await FakeCloudflare.start();
  const { directory } = cloudflare;
  await cloudflare.setup(["--env", "staging", "--issuer", staging, "--yes"]);
  const refused = deployDryRun(directory);
  expect(refused.status).toBe(1);
  expect(refused.output).toContain("setup --env production");
  expect(deployDryRun(directory, "--env", "staging").status).toBe(0);
  expect((await cloudflare.setup(["--update"])).stdout).toContain("Nothing is");

  await cloudflare.setup(["--env", "production", "--issuer", ISSUER, "--yes"]);
  expect(deployDryRun(directory).status).toBe(0);
  expect(deployDryRun(directory, "--env", "staging").status).toBe(0);
});

test("settings that cannot be read are named, and not overwritten", async () => {
  const cloudflare = await FakeCloudflare.start();
  writeFileSync(cloudflare.settingsFile, "{ // mine\n}");
  for (const args of [["--yes"], ["--update"]]) {
    const { code, stderr } = await cloudflare.setup(args);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("wrangler.json cannot be read"),
    ]);
  }
  expect(readFileSync(cloudflare.settingsFile, "utf8")).toBe("{ // mine\n}");
});
