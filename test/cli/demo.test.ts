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
  test("plays the whole story, and leaves no process and no file", async () => {
    const TMPDIR = temporaryDirectory();
    const { code, stdout, stderr } = await run("demo", [], { env: { TMPDIR } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("22 steps, all true.");
    expect(stdout.match(/^\d+\. /gm)).toHaveLength(22);
    // Without a terminal there is no colour, and no token in full.
    expect(stdout).not.toContain("\u001b");
    expect(stdout).toMatch(/refresh_token: baton_rt_\S{3}…\S{4}$/m);
    expect(stdout).not.toMatch(/\S{60}…|eyJ\S{20}/);
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });

  test("ends with a signal, and leaves no process and no file", async () => {
    const TMPDIR = temporaryDirectory();
    const demo = start("demo", [], { env: { TMPDIR } });
    await demo.says("Starting a server");
    demo.child.kill("SIGTERM");
    const { code, stderr } = await demo.outcome();
    expect({ code, stderr }).toEqual({ code: 128 + 15, stderr: "" });
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });

  test("is played to its end when its reader has gone", async () => {
    const TMPDIR = temporaryDirectory();
    const demo = start("demo", [], { env: { TMPDIR } });
    await demo.says("It serves at");
    demo.child.stdout.destroy();
    expect(await demo.outcome()).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });

  test("fails at the step that is not as it should be, and shows what the server wrote", async () => {
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
    expect(stdout).toMatch(/✗ it lives for an hour\n$/);
    expect(stderr).toContain(
      "Step 5 (The laptop's refresh token is passed on) failed: it is not true that it lives for an hour\n",
    );
    expect(stderr).toContain('"endpoint":"/access_token"');
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(processesWith(TMPDIR)).toEqual([]);
  });
});
