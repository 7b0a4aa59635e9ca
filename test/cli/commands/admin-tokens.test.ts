import { describe, expect, test } from "vitest";
import { batonWithServer, fresh, run, stubServer } from "../support.ts";

const baton = batonWithServer();

interface Made {
  name: string;
  role: string;
  id: string;
  token: string;
}

async function make(role: string, ...options: string[]): Promise<Made> {
  const args = ["admin-tokens", "create", fresh("t"), "--role", role];
  return (await baton.json(...args, ...options)) as Made;
}

/** Runs `baton` with another admin token. */
function runAs(token: string, ...args: string[]) {
  const env = { BATON_URL: baton.server.url, BATON_ADMIN_TOKEN: token };
  return run("baton", args, { env });
}

describe("baton admin-tokens", () => {
  test("create shows the token this one time, and says how to use it", async () => {
    const name = fresh("t");
    const args = ["admin-tokens", "create", name, "--role", "operator"];
    const made = await baton.run(...args, "--expires-in", "P90D");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toMatch(new RegExp(`name +${name}\n`));
    expect(made.stdout).toMatch(/expires_at +20\d\d-/);
    expect(made.stdout).toContain("cannot be shown again");
    const [, token = ""] = /token +(\S+)\n/.exec(made.stdout) ?? [];
    expect(token).toMatch(/^baton_admin_[\w-]{43}$/);
    expect(await runAs(token, "scopes", "list")).toMatchObject({ code: 0 });

    const listed = await baton.run("admin-tokens", "list");
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    expect(listed.stdout).toMatch(
      new RegExp(`^${name} +operator +${token.slice(0, 20)} +20`, "m"),
    );
    expect(listed.stdout).not.toContain(token);
  });

  test("list has one line for each, and --json the fields of the API", async () => {
    const { token: _token, ...shown } = await make("read");
    const listed = await baton.run("admin-tokens", "list");
    expect(listed.stdout).toMatch(
      new RegExp(
        `^${shown.name} +read +baton_admin_${shown.id} .* never$`,
        "m",
      ),
    );
    const { tokens } = (await baton.json("admin-tokens", "list")) as {
      tokens: object[];
    };
    expect(tokens).toContainEqual(shown);
  });

  test("list says who made each, in 80 columns", async () => {
    const today = () => new Date().toISOString().slice(0, 10);
    const began = today();
    const { name } = await make("read", "--expires-in", "P90D");
    const { name: maker, token } = await make("admin");
    const other = fresh("t");
    const create = ["admin-tokens", "create", other, "--role", "read"];
    expect(await runAs(token, ...create)).toMatchObject({ code: 0 });
    const { stdout } = await baton.run("admin-tokens", "list");
    const day = `(?:${began}|${today()})`;
    const line = (start: string) =>
      stdout.split("\n").find((found) => found.startsWith(`${start} `));
    expect(line(name)).toMatch(new RegExp(` ${day} by root `));
    expect(line(other)).toMatch(new RegExp(` ${day} by token:${maker} `));

    const env = {
      BATON_URL: baton.server.url,
      BATON_ADMIN_TOKEN: token,
      COLUMNS: "80",
    };
    const narrow = await run("baton", ["admin-tokens", "list"], { env });
    for (const found of narrow.stdout.split("\n"))
      expect(found.length).toBeLessThanOrEqual(80);
    expect(narrow.stdout).toMatch(new RegExp(`^${name} `, "m"));
  });

  test("delete ends a token, and the one that replaces it goes on", async () => {
    const [old, next] = [await make("read"), await make("read")];
    expect(await baton.run("admin-tokens", "delete", old.name)).toEqual({
      code: 0,
      stdout: `Ended the admin token ${old.name}. Every location refuses it within two minutes.\n`,
      stderr: "",
    });
    expect(await runAs(old.token, "scopes", "list")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nor one of its admin tokens"),
    });
    expect(await runAs(next.token, "scopes", "list")).toMatchObject({
      code: 0,
    });
    expect(await baton.json("admin-tokens", "delete", next.name)).toEqual({
      deleted: next.name,
    });
  });

  test("what a role does not allow is one sentence that names the role", async () => {
    const { token } = await make("operator");
    for (const args of [
      ["admin-tokens", "list"],
      ["admin-tokens", "create", fresh("t"), "--role", "admin"],
    ])
      expect(await runAs(token, ...args)).toEqual({
        code: 1,
        stdout: "",
        stderr:
          "This needs an administrator with the role admin. Send an admin token that has it, or have the role given to you.\n",
      });
  });

  test("an expired token is told as such, and listed as such", async () => {
    const { port } = await stubServer((request, response) => {
      const isList = request.url === "/admin/tokens";
      response.writeHead(isList ? 200 : 401, {
        "Content-Type": "application/json",
      });
      const token = { name: "a", role: "read", id: "AAAAAAAA", created_at: 1 };
      const list = { tokens: [{ ...token, expires_at: 2 }] };
      const error_description =
        "The admin token has expired. Send another one.";
      const refusal = { error: "invalid_token", error_description };
      response.end(JSON.stringify(isList ? list : refusal));
    });
    const env = {
      BATON_URL: `http://localhost:${port}`,
      BATON_ADMIN_TOKEN: "a-token-that-has-expired",
    };
    expect(await run("baton", ["scopes", "list"], { env })).toEqual({
      code: 1,
      stdout: "",
      stderr: "The admin token has expired. Send another one.\n",
    });
    const listed = await run("baton", ["admin-tokens", "list"], { env });
    expect(listed.stdout).toMatch(/ 1970-01-01T00:00:02Z \(expired\)$/m);
  });

  test.each([
    [["create", "a", "--role", "root"], "--role"],
    [["create", "A", "--role", "read"], "name"],
    [["create", "a", "--role", "read", "--expires-in", "90"], "--expires-in"],
  ])("%j names what is wrong", async (args, field) => {
    const outcome = await baton.run("admin-tokens", ...args);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(new RegExp(`^${field}: must`));
  });

  test("delete quotes a name that no token has", async () => {
    expect(await baton.run("admin-tokens", "delete", "nobody")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        'There is no admin token "nobody". To see which there are: npm run baton -- admin-tokens list\n',
    });
  });

  test("create without a role is a usage error", async () => {
    const outcome = await baton.run("admin-tokens", "create", "a");
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toContain("--role");
  });
});
