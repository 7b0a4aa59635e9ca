import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { batonWithServer, temporaryDirectory } from "../support.ts";

const baton = batonWithServer();

/** Applies a file. @returns the exit code, and the error without the path of the file */
async function applyText(text: string | Buffer): Promise<[unknown, string]> {
  const path = join(temporaryDirectory(), "clients.yaml");
  writeFileSync(path, text);
  const { code, stdout, stderr } = await baton.run("apply", path, "--yes");
  expect(stdout).toBe("");
  return [code, stderr.replaceAll(path, "FILE")];
}

describe("a file with an error", () => {
  test.each([
    ["not YAML", 'clients:\n  web: {client_name: "No', /^FILE:2:\d+: Missing/],
    ["a key twice", "clients:\n  web: {}\n  web: {}\n", /^FILE:3:3: .*unique/],
    ["another section", "client:\n  web: {}\n", /^FILE:1:1: client: is not a/],
    [
      "an unknown field",
      "clients:\n  web:\n    name: No\n",
      /^FILE:3:5: clients\.web\.name: is not a field of a client.*client_name/,
    ],
    [
      "a secret",
      "clients:\n  web:\n    client_secret: geheim\n",
      /^FILE:3:5: clients\.web\.client_secret: .*secrets are not in it\. .* npm run baton -- clients rotate-secret web\n/,
    ],
    [
      "a wrong type",
      "clients:\n  web:\n    scope: [read]\n",
      /^FILE:3:5: clients\.web\.scope: must be text\n/,
    ],
    [
      "a number for text",
      "clients:\n  web:\n    client_name: 7\n",
      /^FILE:3:5: clients\.web\.client_name: must be text: put it in quotation marks\n/,
    ],
    [
      "an item of a wrong type",
      "clients:\n  web:\n    resources:\n      - urn:a\n      - 7\n",
      /^FILE:5:9: clients\.web\.resources\.1: must be text/,
    ],
    [
      "an id of digits",
      "clients:\n  007: {}\n",
      /^FILE:2:3: 007: must be in quotation marks/,
    ],
    ["a list for the whole", "- web\n", /^FILE:1:\d: must be an object/],
    ["nothing in it", "", /^FILE:1:1: the file is empty\n/],
    ["only a comment", "# none\n", /^FILE:1:1: the file is empty\n/],
    [
      "a scope without words",
      "scopes:\n  read:\n",
      /^FILE:2:3: scopes\.read: must be text/,
    ],
    [
      "a claim of a scope that is not text",
      "scopes:\n  read: {description: R, claims: [team, 7]}\n",
      /^FILE:2:\d+: scopes\.read\.claims\.1: must be text/,
    ],
    [
      "an unknown field of a scope",
      "scopes:\n  read:\n    descripton: R\n",
      /^FILE:3:5: scopes\.read\.descripton: is not a field of a scope.*description, claims/,
    ],
    [
      "an unknown tag",
      "clients: {web: !!js/x {}}\n",
      /^FILE:1:\d+: Unresolved tag/,
    ],
  ])("in its form names line and field: %s", async (_, text, error) => {
    const [code, stderr] = await applyText(text);
    expect(code).toBe(1);
    expect(stderr).toMatch(error);
    expect(stderr).toMatch(/\nNothing was changed\. .*\n$/);
    expect(stderr).not.toContain("geheim");
  });

  test("by the server's rules names every line and field, and changes nothing", async () => {
    const [code, stderr] = await applyText(`scopes:
  good: A good scope
  "bad scope": A bad one
clients:
  good:
    scope: good
  bad:
    scope: good nowhere
    redirect_uris:
      - https://app.example.com/
      - javascript:alert(1)
  worse:
    token_endpoint_auth_method: none
    require_pkce: false
  "ümlaut": {}
`);
    expect(code).toBe(1);
    expect(
      stderr.split("\n").map((line) => line.split(": ", 2).join(": ")),
    ).toEqual([
      "FILE:3:3: scopes.bad scope",
      "FILE:11:9: clients.bad.redirect_uris.1",
      "FILE:14:5: clients.worse.require_pkce",
      "FILE:15:3: clients.ümlaut",
      expect.stringMatching(/^Nothing was changed\./),
      "",
    ]);
    expect(await baton.json("export")).toEqual({ scopes: {}, clients: {} });
    const [, second] = await applyText(
      "scopes: {good: A}\nclients:\n  bad:\n    scope: good nowhere\n",
    );
    expect(second).toMatch(
      /^FILE:4:5: clients\.bad\.scope: nowhere is not in the scope catalogue\n/,
    );
    expect(await baton.json("export")).toEqual({ scopes: {}, clients: {} });
  });

  test("that names a deleted client is refused, and says that it can be restored", async () => {
    await baton.json("clients", "create", "--id", "gone");
    await baton.json("clients", "delete", "gone", "--yes");
    const [code, stderr] = await applyText("clients:\n  gone: {}\n");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^FILE:2:3: clients\.gone: .*restored.* npm run baton -- clients restore gone$/m,
    );
  });

  test("that cannot be read is an error that says why", async () => {
    expect(await applyText(Buffer.from([0xff, 0xfe, 0x41]))).toEqual([
      1,
      "FILE is not text in UTF-8. Save it as UTF-8.\n",
    ]);
    const none = await baton.run("apply", "/nowhere/clients.yaml", "--yes");
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/^There is no file \/nowhere\/clients\.yaml\./);
  });
});
