import { execFile } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { freePort } from "../../src/cli/local/wrangler.ts";
import {
  run,
  stubServer,
  temporaryDirectory,
  temporaryProject,
} from "./support.ts";

/** What people expect of every command line, whatever the command. */

const project = resolve(import.meta.dirname, "../..");
const { version } = JSON.parse(
  readFileSync(join(project, "package.json"), "utf8"),
) as { version: string };

/** Runs the command `baton` of a checkout, as a link on the PATH does. */
async function runBin(
  directory: string,
  args: string[],
  nodeOptions: string[] = [],
) {
  const bin = join(directory, "bin/baton.js");
  return promisify(execFile)(process.execPath, [...nodeOptions, bin, ...args], {
    cwd: temporaryDirectory(),
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      stdout: error.stdout,
      stderr: error.stderr,
    }),
  );
}

/** A Node that cannot run TypeScript is an old one for `baton`. */
const asOldNode = ["--no-experimental-strip-types"];

async function serverThatSays(
  status: number,
  body: object,
  headers: Record<string, string> = {},
) {
  const { port } = await stubServer((_request, response) => {
    response.writeHead(status, headers);
    response.end(JSON.stringify(body));
  });
  return {
    BATON_URL: `http://localhost:${port}`,
    BATON_ADMIN_TOKEN: "the-admin-token-of-a-test",
  };
}

describe("the command baton", () => {
  test("runs from anywhere, and names itself in its help", async () => {
    const { stdout } = await runBin(project, ["scopes", "list", "--help"]);
    expect(stdout).toMatch(/^Usage: baton scopes list /);
    expect(stdout).toContain("\n  baton scopes list\n");
    const npm = await run("baton", ["scopes", "list", "--help"], { npm: true });
    expect(npm.stdout).toMatch(/^Usage: npm run baton -- scopes list /);
  });

  test("is run by the Node of the packages if that of the machine is too old", async () => {
    const directory = temporaryDirectory();
    cpSync(join(project, "bin"), join(directory, "bin"), { recursive: true });
    cpSync(join(project, "package.json"), join(directory, "package.json"));
    symlinkSync(join(project, "src"), join(directory, "src"));
    mkdirSync(join(directory, "node_modules/.bin"), { recursive: true });
    mkdirSync(join(directory, "node_modules/commander"));
    const node = join(directory, "node_modules/.bin/node");
    writeFileSync(node, `#!/bin/sh\necho "installed node: $2 $3"; exit 7\n`);
    chmodSync(node, 0o755);
    expect(await runBin(directory, ["a b", "c"], asOldNode)).toEqual({
      code: 7,
      stdout: "installed node: a b c\n",
      stderr: "",
    });
  });

  test("says so if no Node is new enough", async () => {
    const directory = temporaryProject();
    const { code, stderr } = await runBin(directory, ["--version"], asOldNode);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `Baton needs Node 22.18 or newer, and this is Node ${process.versions.node}. Install a newer Node and repeat the command.\n`,
    });
  });

  test("says so if the packages are not installed", async () => {
    const directory = temporaryDirectory();
    cpSync(join(project, "bin"), join(directory, "bin"), { recursive: true });
    cpSync(join(project, "package.json"), join(directory, "package.json"));
    expect(await runBin(directory, ["--version"])).toEqual({
      code: 1,
      stdout: "",
      stderr: `The packages of Baton are not installed. Run \`npm ci\` in ${directory}/ and repeat the command.\n`,
    });
  });

  test("shows the version of the checkout", async () => {
    expect((await run("baton", ["--version"])).stdout).toBe(`${version}\n`);
  });
});

describe("--quiet", () => {
  test("leaves out that something was done, and keeps results and JSON", async () => {
    const done = await serverThatSays(200, { revoked: 2 });
    const logout = ["subjects", "logout", "alice"];
    expect(await run("baton", [...logout, "--quiet"], { env: done })).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    const json = await run("baton", ["-q", "--json", ...logout], { env: done });
    expect(JSON.parse(json.stdout)).toEqual({ revoked: 2 });

    const listed = await serverThatSays(200, {
      scopes: [{ scope: "read", description: "Read" }],
    });
    const list = await run("baton", ["scopes", "list", "-q"], { env: listed });
    expect(list.stdout).toContain("read");
  });

  test("keeps errors", async () => {
    const env = await serverThatSays(400, { error: "invalid_request" });
    const { code, stderr } = await run("baton", ["scopes", "list", "-q"], {
      env,
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: "invalid_request\n" });
  });
});

describe("colours", () => {
  test.each([
    ["none where there is no terminal", {}, false],
    ["FORCE_COLOR turns them on", { FORCE_COLOR: "1" }, true],
    ["FORCE_COLOR=0 does not", { FORCE_COLOR: "0" }, false],
    ["NO_COLOR does not", { NO_COLOR: "1" }, false],
  ])("%s", async (_what, variables, expected) => {
    const { FORCE_COLOR: _force, NO_COLOR: _no, ...env } = process.env;
    const scopes = [{ scope: "read", description: "Read" }];
    const good = await serverThatSays(200, { scopes });
    const bad = await serverThatSays(400, { error: "invalid_request" });
    const list = ["scopes", "list"];
    const run1 = await run("baton", list, {
      env: { ...env, ...good, ...variables },
    });
    const run2 = await run("baton", list, {
      env: { ...env, ...bad, ...variables },
    });
    expect(run1.stdout.includes("\u001b[1m")).toBe(expected);
    expect(run2.stderr.includes("\u001b[31m")).toBe(expected);
  });
});

describe("a path in an argument", () => {
  test.each([false, true])(
    "is relative to where the user stands (with npm run: %s)",
    async (npm) => {
      const directory = temporaryProject();
      const cwd = join(directory, "tmp");
      writeFileSync(join(cwd, "revoked.csv"), "");
      const { code, stderr } = await run(
        "baton",
        ["league", "import-revoked", "revoked.csv"],
        { npm, directory, cwd, env: await serverThatSays(200, {}) },
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(/^revoked\.csv is empty\./);
    },
  );
});

describe("an error", () => {
  test("of a server with a problem points to its health, and to the line in its log", async () => {
    const env = await serverThatSays(
      500,
      { error: "server_error" },
      { "X-Request-Id": "7b0e" },
    );
    expect(await run("baton", ["scopes", "list"], { env })).toEqual({
      code: 1,
      stdout: "",
      stderr: `${env.BATON_URL} has a problem, and could not do this. To see which one: \`npm run baton -- health\`. If that says ok, look for request_id 7b0e in the server's log.\n`,
    });
  });

  test.each(["https://no-such-host.invalid", "http://0.0.0.0"])(
    "of an unreachable server names the address and what to check: %s",
    async (host) => {
      const url = `${host}:${await freePort()}`;
      const env = {
        BATON_URL: url,
        BATON_ADMIN_TOKEN: "the-admin-token-of-a-test",
      };
      const list = ["scopes", "list", "--insecure"];
      const { code, stderr } = await run("baton", list, { env });
      expect(code).toBe(1);
      expect(stderr).toContain(url);
      expect(stderr).toContain("from BATON_URL");
      expect(stderr).toMatch(/[Cc]heck (?:the spelling|the network|its host)/);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    },
  );

  test("of a server that does not speak https says so", async () => {
    const { BATON_URL } = await serverThatSays(200, {});
    const url = BATON_URL.replace("http:", "https:");
    const env = {
      BATON_URL: url,
      BATON_ADMIN_TOKEN: "the-admin-token-of-a-test",
    };
    const { code, stderr } = await run("baton", ["scopes", "list"], { env });
    expect(code).toBe(1);
    expect(stderr).toContain(`Cannot connect to ${url} (from BATON_URL):`);
    expect(stderr).toContain("It does not speak https.");
  });

  test("that nobody has foreseen is one sentence, and BATON_DEBUG shows where it was", async () => {
    const directory = temporaryProject();
    const file = join(directory, "src/cli/commands/health.ts");
    const changed = readFileSync(file, "utf8").replace(
      "const health = await session.health();",
      `throw new TypeError("a fault of a test");`,
    );
    writeFileSync(file, changed);
    const { code, stderr } = await run("baton", ["health"], {
      directory,
      sources: true,
    });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        "The command has failed by a fault of its own: a fault of a test. Set the environment variable BATON_DEBUG to 1 and repeat the command, to see where.\n",
    });
    const env = { BATON_DEBUG: "1" };
    const debug = await run("baton", ["health"], {
      directory,
      sources: true,
      env,
    });
    expect(debug.stderr).toMatch(
      /^TypeError: a fault of a test\n {4}at .*health\.ts/,
    );
  });
});
