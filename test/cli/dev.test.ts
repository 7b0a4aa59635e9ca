import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { envLines, freshSecrets } from "../../src/cli/local/dev-vars.ts";
import { freePort } from "../../src/cli/local/wrangler.ts";
import {
  processesWith,
  run,
  start,
  type RunOptions,
  stubServer,
  temporaryProject,
} from "./support.ts";

/** A project of its own. The path of TMPDIR identifies the processes of the test. */
function testProject() {
  const directory = temporaryProject();
  const TMPDIR = join(directory, "tmp");
  return {
    directory,
    TMPDIR,
    devVars: join(directory, ".dev.vars"),
    env: { TMPDIR, WRANGLER_REGISTRY_PATH: join(directory, "registry") },
  };
}

/** Starts the server on a free port and waits for the greeting. */
async function startDev(options: RunOptions, more: string[] = []) {
  const port = await freePort();
  const args = ["--port", String(port), ...more];
  const dev = start("dev", args, options);
  await dev.waitForOutput("--subject alice\n");
  return { ...dev, url: `http://localhost:${port}` };
}

describe("npm run dev", () => {
  test("creates secrets, serves at http://localhost:PORT, and baton finds the admin token", async () => {
    const { directory, TMPDIR, devVars, env } = testProject();
    const dev = await startDev({ directory, env });
    const { url } = dev;

    expect(processesWith(TMPDIR).length).toBeGreaterThan(0);
    const metadata = await fetch(
      `${url}/.well-known/oauth-authorization-server`,
    );
    expect(await metadata.json()).toMatchObject({
      issuer: url,
      token_endpoint: `${url}/access_token`,
      authorization_endpoint: `${url}/authorize`,
    });
    // An error page in HTML, because no authorization request has led here.
    const signIn = await fetch(`${url}/dev/login`);
    expect(signIn.headers.get("Content-Type")).toMatch(/^text\/html/);
    expect(
      await run("baton", ["--url", url, "scopes", "put", "read", "Read"], {
        directory,
      }),
    ).toMatchObject({ code: 0, stderr: "" });

    dev.child.kill("SIGTERM");
    const { stdout } = await dev.outcome();
    expect(processesWith(TMPDIR)).toEqual([]);
    expect(stdout).toMatch(
      /^Wrote PRIVATE_KEY, ENCRYPTION_KEY and ADMIN_TOKEN to \.dev\.vars\. /,
    );
    expect(stdout).toContain(`Baton is running at ${url}.`);
    const { ADMIN_TOKEN } = secretsOf(devVars);
    expect(stdout).not.toContain(ADMIN_TOKEN);
  });

  test("keeps the secrets and the state of the previous run", async () => {
    const { directory, devVars, env } = testProject();
    const scopes: unknown[] = [];
    const vars: string[] = [];
    for (const command of [
      ["scopes", "put", "read", "Read your notes"],
      ["scopes", "list"],
    ]) {
      const dev = await startDev({ directory, env });
      const { stdout } = await run(
        "baton",
        [...command, "--json", "--url", dev.url],
        { directory },
      );
      scopes.push(JSON.parse(stdout));
      vars.push(readFileSync(devVars, "utf8"));
      dev.child.kill("SIGINT");
      await dev.outcome();
    }
    const scope = { scope: "read", description: "Read your notes" };
    expect(scopes).toEqual([scope, { scopes: [scope] }]);
    expect(vars[1]).toBe(vars[0]);
  });

  test("uses another login if --var LOGIN_URL names one", async () => {
    const { directory, env } = testProject();
    const login = "http://localhost:8788/";
    const dev = await startDev({ directory, env }, [
      "--var",
      `LOGIN_URL:${login}`,
    ]);
    expect((await fetch(`${dev.url}/dev/login`)).status).toBe(404);
    // Nor does the server take its own page for the sign-out of that login.
    expect((await fetch(`${dev.url}/dev/logout`)).status).toBe(404);
    const authorize = await fetch(`${dev.url}/authorize`);
    expect(authorize.headers.get("Content-Type")).toMatch(/^text\/html/);
    dev.child.kill("SIGTERM");
    expect((await dev.outcome()).stdout).toContain(
      "which redirects them to LOGIN_URL",
    );
  });

  test("ends when npm is ended", async () => {
    const { directory, TMPDIR, env } = testProject();
    const dev = await startDev({ directory, env, npm: true });
    dev.child.kill("SIGTERM");
    await dev.outcome();
    expect(processesWith(TMPDIR)).toEqual([]);
  });

  test("names the secret that is wrong, and with --env-file writes no .dev.vars", async () => {
    const { directory, devVars, env } = testProject();
    const envFile = join(directory, "secrets.env");
    writeFileSync(
      envFile,
      envLines({ ...freshSecrets(), ENCRYPTION_KEY: "short" }),
    );
    const port = String(await freePort());
    const dev = start("dev", ["--port", port, "--env-file", envFile], {
      directory,
      env,
    });
    await dev.waitForOutput("GET /health 503");
    await dev.waitForOutput("Baton cannot work with this configuration");
    dev.child.kill("SIGTERM");
    const { stdout } = await dev.outcome();
    expect(stdout).toContain(
      "Baton cannot work with this configuration:\n  ENCRYPTION_KEY must be the base64 of 32 random bytes",
    );
    expect(stdout).not.toContain("Baton is running at");
    expect(existsSync(devVars)).toBe(false);
  });

  test.each(["0", "65536", "-1", "http", "8787.5", ""])(
    "refuses the port %j",
    async (port) => {
      const { directory, devVars } = testProject();
      const { code, stdout, stderr } = await run("dev", [`--port=${port}`], {
        directory,
      });
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain("It must be a number from 1 to 65535.");
      expect(existsSync(devVars)).toBe(false);
    },
  );

  test("reports a port that is in use, and what to do", async () => {
    const { directory, devVars } = testProject();
    const { port } = await stubServer(() => undefined);
    expect(await run("dev", ["--port", String(port)], { directory })).toEqual({
      code: 1,
      stdout: "",
      stderr: `Port ${port} is already in use by another program. End that program or choose another port: npm run dev -- --port ${port + 1}\n`,
    });
    expect(existsSync(devVars)).toBe(false);
  });
});

function secretsOf(path: string): { ADMIN_TOKEN: string } {
  const found = /^ADMIN_TOKEN='(.+)'$/m.exec(readFileSync(path, "utf8"))?.[1];
  if (found === undefined) throw new Error("the file has no ADMIN_TOKEN");
  return { ADMIN_TOKEN: found };
}
