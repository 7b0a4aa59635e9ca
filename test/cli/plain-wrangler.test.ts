import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort, wranglerScript } from "../../src/cli/local/wrangler.ts";
import { FakeCloudflare, ISSUER } from "./setup/support.ts";
import { run, temporaryProject } from "./support.ts";

/** Plain `npx wrangler dev` in a fresh clone, which people who know the platform type first. */

function startWrangler(directory: string, port: number) {
  const child = spawn(
    process.execPath,
    [wranglerScript, "dev", "--port", String(port)],
    {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        ...process.env,
        TMPDIR: join(directory, "tmp"),
        WRANGLER_REGISTRY_PATH: join(directory, "registry"),
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
      },
    },
  );
  onTestFinished(() => void child.kill("SIGTERM"));
  let output = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return {
    child,
    /** Resolves when the text is in the output: a log line comes after its answer. */
    async waitForOutput(text: string): Promise<void> {
      while (!output.includes(text))
        await Promise.race([
          once(child.stdout!, "data"),
          once(child.stderr!, "data"),
        ]);
    },
  };
}

/** Resolves when wrangler says that it can answer. */
async function whenReady(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit").then(() => {
    throw new Error("wrangler ended early");
  });
  const ready = new Promise<void>((resolve) => {
    child.on("message", (message) => {
      if (JSON.stringify(message).includes("DEV_SERVER_READY")) resolve();
    });
  });
  await Promise.race([ready, ended]);
}

test("says which command to type, in the answer and in the log, and serves when it was typed", async () => {
  const directory = temporaryProject();
  const port = await freePort();
  const wrangler = startWrangler(directory, port);
  await whenReady(wrangler.child);
  const url = `http://localhost:${port}`;
  for (const path of ["/", "/.well-known/jwks.json"]) {
    const answer = await fetch(url + path);
    expect(answer.status).toBe(500);
    expect(await answer.text()).toContain("npm run baton -- setup --local");
  }
  await wrangler.waitForOutput(
    '"problem":"has no keys: type npm run dev, or npm run baton -- setup --local"',
  );

  const setup = await run("baton", ["setup", "--local"], { directory });
  expect(setup).toMatchObject({ code: 0, stderr: "" });
  expect(setup.stdout).toContain(
    "Wrote to .dev.vars: PRIVATE_KEY, ENCRYPTION_KEY, ADMIN_TOKEN.",
  );
  expect(setup.stdout).toContain("npx wrangler dev");
  const again = await run("baton", ["setup", "--local", "--json"], {
    directory,
  });
  expect(JSON.parse(again.stdout)).toEqual({ file: ".dev.vars", made: [] });

  wrangler.child.kill("SIGTERM");
  await once(wrangler.child, "exit");
  const second = startWrangler(directory, port);
  await whenReady(second.child);
  // The issuer is the address that was asked.
  for (const origin of [url, `http://127.0.0.1:${port}`]) {
    const path = "/.well-known/oauth-authorization-server";
    const metadata = await (await fetch(origin + path)).json();
    expect(metadata).toMatchObject({
      issuer: origin,
      token_endpoint: `${origin}/access_token`,
    });
    // Without a sign-in page there is no authorization endpoint.
    expect(metadata).not.toHaveProperty("authorization_endpoint");
  }
  const scope = await run(
    "baton",
    ["--url", url, "scopes", "put", "read", "Read your notes"],
    { directory },
  );
  expect(scope).toMatchObject({ code: 0, stderr: "" });
  second.child.kill("SIGTERM");
  await once(second.child, "exit");
});

test("serves after a setup with a custom domain; where it redirects to itself, the command line says why", async () => {
  const cloudflare = await FakeCloudflare.start();
  const { directory, settingsFile } = cloudflare;
  await cloudflare.setup(["--env", "production", "--issuer", ISSUER, "--yes"]);
  await run("baton", ["setup", "--local"], { directory });
  const serve = async () => {
    const port = await freePort();
    const { child } = startWrangler(directory, port);
    await whenReady(child);
    const url = `http://localhost:${port}`;
    return {
      url,
      health: await run("baton", ["--url", url, "health"], { directory }),
      doctor: await run("baton", ["--url", url, "doctor"], { directory }),
      async stop() {
        child.kill("SIGTERM");
        await once(child, "exit");
      },
    };
  };
  const good = await serve();
  expect(good.health).toMatchObject({ code: 0, stderr: "" });
  await good.stop();

  // As in a configuration that was made by hand.
  const { dev: _dev, ...settings } = cloudflare.settings;
  writeFileSync(settingsFile, JSON.stringify(settings));
  const bad = await serve();
  for (const { code, stderr } of [bad.health, bad.doctor]) {
    expect(code).toBe(1);
    expect(stderr).toContain("It redirects to the same address");
    expect(stderr).toContain(`\`--local-upstream ${new URL(bad.url).host}\``);
  }
  await bad.stop();
});
