import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { confirm, confirmOnTerminal } from "../../src/cli/confirm.ts";
import { Failure, UsageError } from "../../src/cli/failure.ts";

/** Makes a stand-in for a terminal at which somebody types. */
function terminal(typed: string, isTTY = true) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = new PassThrough().setEncoding("utf8");
  input.end(typed);
  return { input, output };
}

describe("a question before a change", () => {
  test.each(["y\n", "yes\n", "YES\n", " y \n"])(
    "goes on after %j, and shows what will happen",
    async (typed) => {
      const both = terminal(typed);
      await confirm("This deletes web.", {}, both);
      expect(both.output.read()).toContain(
        "This deletes web.\nContinue? [y/N] ",
      );
    },
  );

  test.each(["\n", "n\n", "no\n", "yesterday\n", ""])(
    "changes nothing after %j",
    async (typed) => {
      const failure = confirm("This deletes web.", {}, terminal(typed));
      await expect(failure).rejects.toThrow(Failure);
      await expect(failure).rejects.toThrow(/^Nothing was changed/);
    },
  );

  test("is not asked with --yes", async () => {
    const both = terminal("", false);
    await confirm("This deletes web.", { yes: true }, both);
    expect(both.output.read()).toBeNull();
  });

  test("is refused without a terminal, and the refusal names --yes", async () => {
    const failure = confirm("This deletes web.", {}, terminal("y\n", false));
    await expect(failure).rejects.toThrow(UsageError);
    await expect(failure).rejects.toThrow(
      /This deletes web\.\nNothing was changed.*--yes/,
    );
  });

  test("is asked on a terminal only, before what scripts end in an emergency", async () => {
    const both = terminal("n\n");
    const failure = confirmOnTerminal("This ends all logins.", {}, both);
    await expect(failure).rejects.toThrow(/^Nothing was changed/);
    expect(both.output.read()).toContain("This ends all logins.\nContinue?");
    const script = terminal("n\n", false);
    await confirmOnTerminal("This ends all logins.", {}, script);
    expect(script.output.read()).toBeNull();
  });

  test("cannot be hidden by control characters in a name", async () => {
    const both = terminal("y\n");
    await confirm("This deletes \u001b[2K\u202eweb.", {}, both);
    expect(both.output.read()).toContain(String.raw`\u001b[2K\u202eweb.`);
  });
});
