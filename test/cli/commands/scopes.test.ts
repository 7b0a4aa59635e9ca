import { describe, expect, test } from "vitest";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();

describe("baton scopes", () => {
  test("put adds a scope, and list shows it with its description", async () => {
    const scope = fresh("scope");
    const put = await baton.run("scopes", "put", scope, "Read your notes");
    expect(put).toMatchObject({ code: 0, stderr: "" });
    expect(put.stdout).toMatch(new RegExp(`scope +${scope}\n`));

    const list = await baton.run("scopes", "list");
    expect(list).toMatchObject({ code: 0, stderr: "" });
    expect(list.stdout).toMatch(/^SCOPE +DESCRIPTION\n/);
    expect(list.stdout).toMatch(new RegExp(`^${scope} +Read your notes$`, "m"));
  });

  test("put changes the description of an existing scope", async () => {
    const scope = fresh("scope");
    await baton.json("scopes", "put", scope, "before");
    expect(await baton.json("scopes", "put", scope, "after")).toEqual({
      scope,
      description: "after",
    });
    const { scopes } = (await baton.json("scopes", "list")) as {
      scopes: { scope: string }[];
    };
    expect(scopes.filter((entry) => entry.scope === scope)).toEqual([
      { scope, description: "after" },
    ]);
  });

  test("a scope that must be encoded in a URL is put and deleted", async () => {
    const scope = `https://api.example.com/${fresh("a")}?b&c%2F`;
    expect(await baton.json("scopes", "put", scope, "An API")).toEqual({
      scope,
      description: "An API",
    });
    expect(await baton.json("scopes", "delete", scope)).toEqual({
      deleted: scope,
    });
  });

  test("delete deletes a scope, and says so", async () => {
    const scope = fresh("scope");
    await baton.json("scopes", "put", scope, "Read your notes");
    expect(await baton.run("scopes", "delete", scope)).toEqual({
      code: 0,
      stdout: `Deleted the scope ${scope}.\n`,
      stderr: "",
    });
    const { scopes } = (await baton.json("scopes", "list")) as {
      scopes: { scope: string }[];
    };
    expect(scopes.map((entry) => entry.scope)).not.toContain(scope);
  });

  test("delete of a missing scope is reported with the message of the API", async () => {
    expect(await baton.run("scopes", "delete", fresh("scope"))).toEqual({
      code: 1,
      stdout: "",
      stderr: "There is no such scope.\n",
    });
  });

  test.each([".", "..", ""])(
    "a name that cannot be part of a URL path is a usage error: %j",
    async (name) => {
      expect(await baton.run("scopes", "delete", name)).toEqual({
        code: 2,
        stdout: "",
        stderr: `"${name}" cannot be a name, because it cannot be part of a URL path. Use another name.\n`,
      });
    },
  );

  test("put says which claims a scope releases, and list shows them", async () => {
    const scope = fresh("scope");
    const put = ["scopes", "put", scope];
    expect(await baton.json(put, ["Teams", "--claims", "team role"])).toEqual({
      scope,
      description: "Teams",
      claims: ["team", "role"],
    });
    // What is left out stays.
    await baton.json(put, ["Your teams"]);
    const { stdout } = await baton.run("scopes", "list");
    expect(stdout).toMatch(/^SCOPE +DESCRIPTION +CLAIMS\n/);
    expect(stdout).toMatch(
      new RegExp(`^${scope} +Your teams +team role$`, "m"),
    );
    expect(await baton.json(put, ["--claims", ""])).toMatchObject({
      description: "Your teams",
      claims: [],
    });
    expect(await baton.json(put, ["--standard-claims"])).toEqual({
      scope,
      description: "Your teams",
    });
    const wrong = await baton.run(put, ["--claims", "team sub"]);
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^--claims number 2: is a claim that Baton/,
      ),
    });
  });

  test("put needs no description for a scope of OpenID Connect, and one for any other", async () => {
    expect(await baton.json("scopes", "put", "openid")).toEqual({
      scope: "openid",
      description: expect.any(String),
    });
    expect(await baton.run("scopes", "put", fresh("scope"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("description: is missing"),
    });
  });

  test("list says standard for the scopes that release the claims of OpenID Connect, and nothing for others", async () => {
    const [plain, named] = [fresh("scope"), fresh("scope")];
    await baton.json("scopes", "put", plain, "Plain");
    await baton.json("scopes", "put", named, "Named", "--claims", "team");
    await baton.json("scopes", "put", "email");
    const { stdout } = await baton.run("scopes", "list");
    expect(stdout).toMatch(new RegExp(`^${plain} +Plain$`, "m"));
    expect(stdout).toMatch(/^email +Read your e-mail address +standard$/m);
  });

  test("delete of openid says how many clients lose it, and needs --yes without a terminal", async () => {
    await baton.json("scopes", "put", "openid");
    const client = fresh("client");
    await baton.json("clients", "create", "--id", client, "--scope", "openid");
    const { code, stdout, stderr } = await baton.run(
      "scopes",
      "delete",
      "openid",
    );
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(
      `This turns OpenID Connect off on ${baton.server.url}: 1 client has the scope. Their users get no ID tokens.`,
    );
    expect(stderr).toContain("add --yes");
    expect(await baton.run("scopes", "delete", "openid", "--yes")).toEqual({
      code: 0,
      stdout: "Deleted the scope openid.\n",
      stderr: "",
    });
  });

  test("delete of another scope that clients have asks on a terminal only, because scripts may do it", async () => {
    const [scope, client] = [fresh("scope"), fresh("client")];
    await baton.json("scopes", "put", scope, "Read");
    await baton.json("clients", "create", "--id", client, "--scope", scope);
    expect(await baton.json("scopes", "delete", scope)).toEqual({
      deleted: scope,
    });
  });
});
