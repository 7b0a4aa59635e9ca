import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { run, temporaryDirectory } from "./support.ts";

let bash: string;

beforeAll(async () => {
  bash = (await run("baton", ["completion", "bash"])).stdout;
});

/** What bash offers after these words. The last one is where the cursor stands. */
async function offered(...words: string[]): Promise<string[]> {
  const file = join(temporaryDirectory(), "baton.bash");
  writeFileSync(file, bash);
  const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _baton; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)("bash", [
    "--norc",
    "-c",
    script,
    file,
    "baton",
    ...words,
  ]);
  return stdout.split("\n").filter(Boolean);
}

describe("completion in bash", () => {
  test("offers the commands of the program", async () => {
    expect(await offered("cli")).toEqual(["clients"]);
    expect(await offered("")).toEqual(
      expect.arrayContaining(["clients", "scopes", "grants", "health"]),
    );
  });

  test("offers what a command has, also behind global options", async () => {
    const words = ["--url", "http://localhost:1", "--json", "clients", ""];
    const commands = await offered(...words);
    expect(commands).toEqual(expect.arrayContaining(["list", "create"]));
    expect(commands).not.toContain("revoke");
  });

  test("offers the options of a command and the global ones", async () => {
    expect(await offered("grants", "create", "--su")).toEqual(["--subject"]);
    expect(await offered("grants", "create", "--js")).toEqual(["--json"]);
    expect(await offered("grants", "revoke", "--su")).toEqual([]);
  });

  test("offers nothing where a value is expected, and files where one is expected", async () => {
    expect(await offered("grants", "create", "--subject", "")).toEqual([]);
    expect(await offered("league", "import-clients", "pack")).toContain(
      "package.json",
    );
  });

  test("offers the values of an argument", async () => {
    expect(await offered("completion", "")).toEqual(["bash", "zsh", "fish"]);
  });
});

describe("completion in other shells", () => {
  test.each([
    ["zsh", "#compdef baton"],
    ["fish", "complete -c baton"],
  ])("%s gets every command, with its description", async (shell, start) => {
    const { code, stdout } = await run("baton", ["completion", shell]);
    expect(code).toBe(0);
    expect(stdout).toContain(start);
    expect(stdout).toContain("import-revoked");
    expect(stdout).toContain("list the grants of a user; times are in UTC");
  });

  test("a shell that has none is a usage error that names those that have", async () => {
    const { code, stderr } = await run("baton", ["completion", "tcsh"]);
    expect(code).toBe(2);
    expect(stderr).toContain("Allowed choices are bash, zsh, fish.");
  });
});
