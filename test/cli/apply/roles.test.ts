import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { batonWithServer, fresh, run, temporaryDirectory } from "../support.ts";

/** An operator applies a file. */

const baton = batonWithServer();
let operator: string;

beforeAll(async () => {
  await baton.json("scopes", "put", "read", "Read");
  const create = ["admin-tokens", "create", fresh("t"), "--role", "operator"];
  ({ token: operator } = (await baton.json(...create)) as { token: string });
});

function apply(clients: Record<string, object>) {
  const path = join(temporaryDirectory(), "clients.json");
  writeFileSync(path, JSON.stringify({ clients }));
  const env = { BATON_URL: baton.server.url, BATON_ADMIN_TOKEN: operator };
  return run("baton", ["apply", path, "--yes"], { env });
}

async function makeClient(scope: string): Promise<string> {
  const id = fresh("app");
  const args = ["--id", id, "--scope", scope, "--name", "Old"];
  await baton.json("clients", "create", ...args);
  return id;
}

async function scopeOf(id: string): Promise<string> {
  return ((await baton.json("clients", "show", id)) as { scope: string }).scope;
}

test("an operator applies a file that takes from a client; one that gives to any changes none", async () => {
  const [taken, given] = [await makeClient("read"), await makeClient("")];
  const less = { client_name: "New" };
  const refused = await apply({
    [taken]: less,
    [given]: { client_name: "Old", scope: "read" },
  });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("the role admin");
  expect([await scopeOf(taken), await scopeOf(given)]).toEqual(["read", ""]);

  expect((await apply({ [taken]: less })).code).toBe(0);
  expect(await scopeOf(taken)).toBe("");
});
