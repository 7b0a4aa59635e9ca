import { describe, expect, test } from "vitest";
import { BCRYPT, file, clientImport, leagueStub, PLAIN } from "./support.ts";
import { batonWithServer, fresh } from "../support.ts";

/** The commands in messages can be copied as they are, and messages never contain secrets. */

const baton = batonWithServer();
const { importJson, importFile, client, authenticates } = clientImport(baton);

describe("a command to copy", () => {
  test.each([
    ["it's", String.raw`scopes put 'it'\''s' "What`],
    ["$(id)", `scopes put '$(id)' "What`],
    ["-x", `scopes put -- -x "What`],
    ["notes:read", `scopes put notes:read "What`],
  ])("quotes the scope %s for the shell", async (scope, command) => {
    const csv = file("clients.csv", `id,secret,scopes\nweb,,${scope}\n`);
    const { stderr } = await importFile(csv);
    expect(stderr).toContain(command);
  });

  test("has -- before an id that starts like an option", async () => {
    const id = `-${fresh("client")}`;
    const csv = file("clients.csv", `id,secret\n${id},${BCRYPT}\n`);
    const { stdout } = await importFile(csv);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(`  -- ${id}`);
    const rotated = await baton.run("clients", "rotate-secret", "--", id);
    expect(rotated.code).toBe(0);
  });
});

describe("a redirect URI that is refused", () => {
  test("is shown shortened, without its password", async () => {
    const id = fresh("client");
    const uris = [
      "http://user:hunter2@a.example.com/cb",
      "http://user:hun/ter2@a.example.com/cb",
      `http://b.example.com/${"x".repeat(500)}`,
    ];
    const csv = file(
      "clients.csv",
      `id,secret,redirect\n${id},${PLAIN},"${uris.join(",")}"\n`,
    );
    for (let times = 0; times < 2; times++) {
      const { stdout } = await importFile(csv);
      expect(stdout).not.toMatch(/hunter2|ter2/);
      expect(stdout).toContain("redirect URI http://…@a.example.com/cb");
      expect(stdout).toContain(`http://b.example.com/${"x".repeat(179)}…`);
      expect(stdout).not.toContain("x".repeat(180));
    }
  });
});

describe("redirect URIs", () => {
  test("can be separated by semicolons, and can contain semicolons", async () => {
    const id = fresh("client");
    const uris =
      "https://a.example.com/cb;x=1;com.example.app:/cb; https://b.example.com/;";
    const csv = file(
      "clients.csv",
      `id,secret,redirect\n${id},${PLAIN},"${uris}"\n`,
    );
    await importJson(csv, "--scope", "");
    expect(await client(id)).toMatchObject({
      redirect_uris: [
        "https://a.example.com/cb;x=1",
        "com.example.app:/cb",
        "https://b.example.com/",
      ],
    });
  });
});

describe("a tab-separated file", () => {
  test.each([
    `id\tname\tsecret\nA\tNotes\t"${PLAIN}"\n`,
    `id\tname\tsecret\nA\t"No\\ttes"\t${PLAIN}\n`,
  ])("with quotes but none in its header is refused (%#)", async (text) => {
    const id = fresh("client");
    const path = file("clients.tsv", text.replace("A", id));
    const { code, stderr } = await importFile(path);
    expect(code).toBe(1);
    expect(stderr).toContain(`${path}: line 2, column `);
    expect(stderr).toContain("without quotes, or with commas");
    expect(stderr).not.toContain(PLAIN);
    expect((await baton.run("clients", "show", id)).code).toBe(1);
  });

  test("with a header in quotes may have fields in quotes", async () => {
    const id = fresh("client");
    const path = file("c.tsv", `"id"\t"secret"\n"${id}"\t"${PLAIN}"\n`);
    expect((await importFile(path)).code).toBe(0);
    expect(await authenticates(id, PLAIN)).toBe(true);
  });
});

describe("import-revoked", () => {
  test.each(['[{"id":"a1","revoked":1}]', '{"data":[]}'])(
    "refuses JSON and says which formats it reads (%#)",
    async (content) => {
      const stub = await leagueStub();
      const path = file("tokens.json", content);
      const { code, stderr } = await stub.run("import-revoked", path);
      expect(code).toBe(1);
      expect(stderr).toBe(
        `${path} is JSON, which is not supported here. Export the tokens as CSV, or as a list of ids, one per line.\n`,
      );
    },
  );

  test("does not say to run the command again if the server would refuse it again", async () => {
    const error = { error: "invalid_request", error_description: "It is bad." };
    const stub = await leagueStub(() => ({ status: 400, body: error }));
    const list = file("ids.txt", "a1\n");
    const { stderr } = await stub.run("import-revoked", list);
    expect(stderr).toBe(
      "It is bad.\nBefore that, 0 of 1 revoked tokens were imported.\n",
    );
  });
});
