import type { RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { run, start, stubServer } from "./support.ts";

function operatorOf(port: number) {
  return {
    BATON_URL: `http://localhost:${port}`,
    BATON_ADMIN_TOKEN: "the-admin-token-of-a-test",
  };
}

function answering(body: unknown): RequestListener {
  return (_request, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(body));
  };
}

describe("baton's output", () => {
  test.each(["scopes", "clients"])(
    "an empty list of %s says how to create one",
    async (things) => {
      const { port } = await stubServer(answering({ [things]: [] }));
      const { code, stdout } = await run("baton", [things, "list"], {
        env: operatorOf(port),
      });
      expect(code).toBe(0);
      expect(stdout).toMatch(
        new RegExp(
          `^There are no ${things} yet. Create one with: npm run baton -- ${things} `,
        ),
      );
    },
  );

  test("a closed pipe is not an error", async () => {
    const { port } = await stubServer(answering({ scopes: [] }));
    const baton = start("baton", ["scopes", "list"], { env: operatorOf(port) });
    baton.child.stdout.destroy();
    expect(await baton.outcome()).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("an error text of the server cannot control the terminal", async () => {
    const error_description = "no \u001b]0;title\u0007 such\nthing";
    const { port } = await stubServer((request, response) => {
      response.statusCode = 400;
      answering({ error: "invalid_request", error_description })(
        request,
        response,
      );
    });
    expect(
      await run("baton", ["scopes", "list"], { env: operatorOf(port) }),
    ).toEqual({
      code: 1,
      stdout: "",
      stderr: "no \\u001b]0;title\\u0007 such\\u000athing\n",
    });
  });
});

describe("baton's help", () => {
  test("exists for the program, and says how to call it in a script", async () => {
    const { code, stdout, stderr } = await run("baton", ["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("BATON_ADMIN_TOKEN");
    expect(stdout).toContain("npm run --silent baton -- clients list --json");
  });

  test.each([
    ["scopes", "list"],
    ["scopes", "put"],
    ["scopes", "delete"],
    ["clients", "list"],
    ["clients", "show"],
    ["clients", "create"],
    ["clients", "update"],
    ["clients", "delete"],
    ["clients", "rotate-secret"],
    ["grants", "create"],
    ["grants", "list"],
    ["grants", "revoke"],
    ["subjects", "logout"],
  ])("exists for %s %s, with an example", async (...command) => {
    const { code, stdout, stderr } = await run("baton", [...command, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`npm run baton -- ${command.join(" ")}`);
    expect(stdout).toMatch(/\nExamples:\n {2}npm run baton -- /);
  });

  test.each([[[]], [["clients"]], [["nonsense"]], [["clients", "nonsense"]]])(
    "a command line without a command is a usage error: %j",
    async (args) => {
      const { code, stdout, stderr } = await run("baton", args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain("help");
    },
  );
});
