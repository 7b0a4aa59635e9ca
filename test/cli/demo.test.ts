import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  processesWith,
  run,
  start,
  temporaryDirectory,
  temporaryProject,
} from "./support.ts";

describe("npm run demo", () => {
  test("runs all steps, and leaves no process and no file", async () => {
    const TMPDIR = temporaryDirectory();
    const { code, stdout, stderr } = await run("demo", [], { env: { TMPDIR } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("All 30 steps passed.");
    expect(stdout.match(/^\d+\. /gm)).toHaveLength(30);
    // Without a terminal, the output has no colours. It never has a complete token.
    expect(stdout).not.toContain("\u001b");
    expect(stdout).toMatch(/refresh_token: baton_rt_\S{3}…\S{4}$/m);
    expect(stdout).not.toMatch(/\S{60}…|eyJ\S{20}/);
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });

  test("ends on a signal, and leaves no process and no file", async () => {
    const TMPDIR = temporaryDirectory();
    const demo = start("demo", [], { env: { TMPDIR } });
    await demo.waitForOutput("Starting a server");
    demo.child.kill("SIGTERM");
    const { code, stderr } = await demo.outcome();
    expect({ code, stderr }).toEqual({ code: 128 + 15, stderr: "" });
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });

  test("runs to its end when the reader of its output has gone", async () => {
    const TMPDIR = temporaryDirectory();
    const demo = start("demo", [], { env: { TMPDIR } });
    await demo.waitForOutput("The server is running at");
    demo.child.stdout.destroy();
    expect(await demo.outcome()).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });

  test("fails at the first wrong step, and shows the output of the server", async () => {
    const directory = temporaryProject();
    const configuration = join(directory, "wrangler.toml");
    const changed = readFileSync(configuration, "utf8").replace(
      'ACCESS_TOKEN_TTL = "PT1H"',
      'ACCESS_TOKEN_TTL = "PT2H"',
    );
    writeFileSync(configuration, changed);
    const TMPDIR = join(directory, "tmp");
    const { code, stdout, stderr } = await run("demo", [], {
      directory,
      env: { TMPDIR },
    });
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ the access token is valid for one hour\n$/);
    expect(stderr).toContain(
      "Step 5 (The laptop exchanges its refresh token) failed: this is not true: the access token is valid for one hour\n",
    );
    expect(stderr).toContain('"endpoint":"/access_token"');
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });
});
