import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { batonWithServer, fresh, temporaryDirectory } from "../support.ts";

const baton = batonWithServer();

function uri(): string {
  return `https://api.example.com/${fresh("r")}?a&b%2F`;
}

async function listed(name: string) {
  const { resources } = (await baton.json("resources", "list")) as {
    resources: { resource: string }[];
  };
  return resources.find(({ resource }) => resource === name);
}

describe("baton resources", () => {
  test("put enters an MCP server by one command, and changes it; list shows it; delete deletes it", async () => {
    const name = uri();
    const scope = fresh("tools");
    await baton.json("scopes", "put", scope, "Use tools");
    const entry = { resource: name, scope, self_registered_clients: true };
    const options = ["--scope", scope, "--self-registered-clients"];
    expect(await baton.json("resources", "put", name, ...options)).toEqual(
      entry,
    );
    expect(
      await baton.json(
        "resources",
        "put",
        name,
        "--access-token-ttl",
        "PT5M",
        "--no-self-registered-clients",
      ),
    ).toEqual({
      ...entry,
      access_token_ttl: "PT5M",
      self_registered_clients: false,
    });
    expect(
      await baton.json("resources", "put", name, "--access-token-ttl", ""),
    ).toEqual({ ...entry, self_registered_clients: false });
    const { stdout } = await baton.run("resources", "list");
    expect(stdout).toMatch(/^RESOURCE +SCOPE +OPEN/);
    expect(stdout).toContain(name);
    expect(await baton.run("resources", "delete", name)).toEqual({
      code: 0,
      stdout: `Deleted the resource ${name}.\n`,
      stderr: "",
    });
    expect(await listed(name)).toBeUndefined();
  });
});

describe("a file with resources", () => {
  function file(text: string): string {
    const path = join(temporaryDirectory(), "baton.yaml");
    writeFileSync(path, text);
    return path;
  }

  test("makes them with their scopes, and takes away what a line no longer says", async () => {
    const name = uri();
    const scope = fresh("scope");
    const scopes = `scopes:\n  ${scope}: Use tools\n`;
    const open = `${scopes}resources:\n  "${name}":\n    scope: ${scope}\n    self_registered_clients: true\n`;
    const first = (await baton.json("apply", file(open), "--yes")) as {
      changes: { kind: string; done: boolean }[];
      warnings: string[];
    };
    expect(first.changes).toEqual([
      expect.objectContaining({ kind: "scope", done: true }),
      expect.objectContaining({ kind: "resource", done: true }),
    ]);
    expect(first.warnings).toEqual([
      expect.stringContaining("every client that registers itself"),
    ]);
    expect(await baton.json("apply", file(open), "--yes")).toMatchObject({
      changes: [],
    });
    expect(await baton.json("export", "--resources")).toMatchObject({
      resources: { [name]: { scope, self_registered_clients: true } },
    });
    const closed = `resources:\n  "${name}":\n    scope: ${scope}\n`;
    await baton.json("apply", file(closed), "--yes");
    expect(await listed(name)).toMatchObject({
      scope,
      self_registered_clients: false,
    });
  });

  test("that has no such section leaves them, and --prune deletes one before its scope", async () => {
    const name = uri();
    const scope = fresh("scope");
    await baton.json("scopes", "put", scope, "Use tools");
    await baton.json("resources", "put", name, "--scope", scope);
    const path = file("scopes: {}\n");
    expect(await baton.json("apply", path, "--yes")).toMatchObject({
      changes: [],
    });
    expect(await listed(name)).toBeDefined();
    expect(
      await baton.json(
        "apply",
        path,
        "--yes",
        "--prune",
        `resource:${name}`,
        "--prune",
        scope,
      ),
    ).toMatchObject({
      changes: [
        { kind: "resource", action: "delete", done: true },
        { kind: "scope", action: "delete", done: true },
      ],
    });
    expect(await listed(name)).toBeUndefined();
  });

  test("names the line of what is wrong, and changes nothing", async () => {
    const name = uri();
    const path = file(`resources:\n  "${name}":\n    scope: nothing-like-it\n`);
    const { code, stderr } = await baton.run("apply", path, "--yes");
    expect(code).toBe(1);
    expect(stderr).toContain(`${path}:3:`);
    expect(stderr).toContain("is not in the scope catalogue");
    expect(await listed(name)).toBeUndefined();
  });
});
