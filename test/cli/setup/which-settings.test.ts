import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FakeCloudflare, ISSUER } from "./support.ts";

/** After setup, wrangler reads wrangler.json alone. A value that is set in wrangler.toml has no effect. */

const staging = "https://baton-staging.example.workers.dev";

async function deployed(...environments: string[][]) {
  const cloudflare = await FakeCloudflare.start();
  for (const [env = "", issuer = ""] of environments)
    await cloudflare.setup(["--env", env, "--issuer", issuer, "--yes"]);
  return cloudflare;
}

function editBase(
  { directory }: FakeCloudflare,
  change: (text: string) => string,
): void {
  const file = join(directory, "wrangler.toml");
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

describe("setup --update", () => {
  test("lists the values of wrangler.toml that it did not take, and where to set them", async () => {
    const cloudflare = await deployed(
      ["production", ISSUER],
      ["staging", staging],
    );
    const unchanged = await cloudflare.setup(["--update"]);
    expect(unchanged.stdout).not.toContain("differ");
    editBase(cloudflare, (text) =>
      [
        'routes = [{ pattern = "other.example.com", custom_domain = true }]',
        text.replace(
          'EVENT_WEBHOOK_URL = ""',
          'EVENT_WEBHOOK_URL = "https://events.example.com"',
        ),
      ].join("\n"),
    );
    const { code, stdout } = await cloudflare.setup(["--update"]);
    expect(code).toBe(0);
    for (const line of [
      'routes: [{"pattern":"other.example.com","custom_domain":true}] in wrangler.toml, [{"pattern":"auth.example.com","custom_domain":true}] in wrangler.json',
      'vars.EVENT_WEBHOOK_URL: "https://events.example.com" in wrangler.toml, "" in wrangler.json',
      'env.staging.vars.EVENT_WEBHOOK_URL: "https://events.example.com" in wrangler.toml, "" in wrangler.json',
    ])
      expect(stdout).toContain(line);
    expect(stdout).toContain("set them in wrangler.json");
    // An empty variable of wrangler.toml is one that nobody has set.
    expect(stdout).not.toContain("vars.ISSUER");

    // They are listed each time, also when nothing is new.
    const again = await cloudflare.setup(["--update", "--json"]);
    expect(JSON.parse(again.stdout)).toMatchObject({
      changed: false,
      not_taken: [
        { setting: "routes" },
        {
          setting: "vars.EVENT_WEBHOOK_URL",
          "wrangler.toml": "https://events.example.com",
          "wrangler.json": "",
        },
        { setting: "env.staging.vars.EVENT_WEBHOOK_URL" },
      ],
    });
  });

  test("gives a dataset of metrics to each environment for itself", async () => {
    const cloudflare = await deployed(
      ["production", ISSUER],
      ["staging", staging],
    );
    appendFileSync(
      join(cloudflare.directory, "wrangler.toml"),
      '\n[[analytics_engine_datasets]]\nbinding = "METRICS"\ndataset = "baton"\n',
    );
    await cloudflare.setup(["--update"]);
    const dataset = (name: string) => ({
      analytics_engine_datasets: [{ binding: "METRICS", dataset: name }],
    });
    expect(cloudflare.settings).toMatchObject({
      ...dataset("baton"),
      env: { staging: dataset("baton_staging") },
    });
  });
});

describe("plain `npx wrangler dev` after a setup with a custom domain", () => {
  test("asks the Worker by a loopback address, also after an update, unless another one is set", async () => {
    const cloudflare = await deployed(["production", ISSUER]);
    expect(cloudflare.settings.dev).toMatchObject({ host: "localhost:8787" });

    // Settings of an older version have no such value.
    const { dev: _dev, ...older } = cloudflare.settings;
    writeFileSync(cloudflare.settingsFile, JSON.stringify(older));
    await cloudflare.setup(["--update"]);
    expect(cloudflare.settings.dev).toMatchObject({ host: "localhost:8787" });

    const own = { ...cloudflare.settings, dev: { host: "localhost:9000" } };
    writeFileSync(cloudflare.settingsFile, JSON.stringify(own));
    await cloudflare.setup(["--update"]);
    expect(cloudflare.settings.dev).toMatchObject({ host: "localhost:9000" });
  });
});

test("the check before a deploy runs with a Node that cannot run TypeScript", async () => {
  const { directory, settings } = await deployed(["production", ISSUER]);
  const [, script = "", hash = ""] = settings.build.command.split(" ");
  const check = (argument: string) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--no-experimental-strip-types", script, argument],
      { cwd: directory, encoding: "utf8" },
    );
    return { status, stderr };
  };
  expect(check(hash)).toEqual({ status: 0, stderr: "" });
  expect(check("another")).toEqual({
    status: 1,
    stderr: expect.stringContaining("npm run baton -- setup --update"),
  });
});
