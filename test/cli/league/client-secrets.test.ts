import { describe, expect, test } from "vitest";
import { BCRYPT, file, clientImport, PLAIN } from "./support.ts";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();
const { importJson, importFile, client, authenticates } = clientImport(baton);

describe("secrets of imported clients", () => {
  test.each([
    BCRYPT,
    "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    "$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub",
    "$argon2i$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub",
    "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.",
  ])(
    "a hash is not imported: the client needs a new secret (%#)",
    async (hash) => {
      const id = fresh("client");
      const csv = file("clients.csv", `id,secret\n${id},"${hash}"\n`);
      const { code, stdout, stderr } = await importFile(csv);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`^${id} .* made$`, "m"));
      expect(stdout).toContain("These need a secret");
      expect(stdout).toContain("npm run baton -- clients rotate-secret ID");
      expect(stdout).not.toContain(hash);
      expect(await client(id)).toMatchObject({ credentials: [] });
      for (const presented of [hash, ""])
        expect(await authenticates(id, presented)).toBe(false);
    },
  );

  test("a second import with the secret in plain text instead of the hash sets the secret", async () => {
    const id = fresh("client");
    const hashed = file("clients.csv", `id,secret\n${id},${BCRYPT}\n`);
    await importFile(hashed);
    const again = await importJson(hashed, "--scope", "");
    expect(again.clients).toEqual([
      {
        client_id: id,
        outcome: "there_already",
        notes: ["its secret is hashed"],
      },
    ]);
    const plain = file("clients.csv", `id,secret\n${id},${PLAIN}\n`);
    const { counts } = await importJson(plain, "--scope", "");
    expect(counts).toMatchObject({ secret_given: 1, made: 0 });
    expect(await authenticates(id, PLAIN)).toBe(true);
  });

  test("an existing client is not changed", async () => {
    const id = fresh("client");
    await baton.json("clients", "create", "--id", id, "--name", "Ours");
    const before = await client(id);
    const csv = file("clients.csv", `id,name,secret\n${id},Old,${PLAIN}\n`);
    for (let times = 0; times < 2; times++) {
      const { clients } = await importJson(csv, "--scope", "");
      expect(clients).toEqual([
        { client_id: id, outcome: "there_already", notes: [] },
      ]);
    }
    expect(await client(id)).toEqual(before);
    expect(await authenticates(id, PLAIN)).toBe(false);
  });

  test("short secrets and possible hashes are listed, and secrets with a % or a + are not", async () => {
    const [short, hex, plus] = [1, 2, 3].map(() => fresh("client"));
    const csv = file(
      "clients.csv",
      `id,secret\n${short},hunter2\n${hex},${"0f".repeat(32)}\n${plus},${PLAIN}+%2B\n`,
    );
    const { stdout } = await importFile(csv);
    const [title, overview, ...lists] = stdout.trimEnd().split("\n\n");
    expect(title).toBe(`Server ${baton.server.url}: 3 clients.`);
    expect(overview).toMatch(/^CLIENT_ID +NAME .* OUTCOME\n/);
    expect(lists.map((list) => list.split("\n").at(-1))).toEqual([
      `  ${hex}`,
      `  ${short}`,
    ]);
    expect(await authenticates(plus!, `${PLAIN}+%2B`)).toBe(true);
  });

  test("secrets are never printed, even if the file is wrong", async () => {
    const secret = "geheimniskraemerei";
    const files = [
      `web,${secret},1\n`,
      `id,secret\nweb,${secret}\u00fc\n`,
      `id,secret\nweb,${secret}\nweb,${secret}\n`,
      `id,secret,revoked\nweb,1,${secret}\n`,
      `id,secret\nweb,${secret},x\n`,
      `id,secret\nweb,"${secret}\n`,
      `id,secret\nweb,"${secret}"x\n`,
      `id,secret\nweb,x"${secret}"\n`,
      `id,secret,redirect_uris\nweb,1,"[${secret}"\n`,
      `{"web":{"secret":"${secret}}`,
      `[{"id":"web","secret":"${secret}"},${secret}]`,
      `{"web":"${secret}"}`,
      `[{"id":"web","secret":"${secret}\u0007"}]`,
      `id,secret\nweb,${secret}${"x".repeat(255)}\n`,
    ];
    for (const content of files) {
      const { code, stdout, stderr } = await importFile(file("f", content));
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/\n$/);
      expect(stderr).not.toMatch(/geheim|kraemerei|\n +at /);
    }
    expect((await baton.run("clients", "show", "web")).code).toBe(1);
    const id = fresh("client");
    const good = file("f", `id,secret\n${id},${secret}\n`);
    for (const more of [["--dry-run"], [], ["--json"]]) {
      const { code, stdout, stderr } = await importFile(good, more);
      expect(code).toBe(0);
      expect(stdout + stderr).not.toContain(secret);
    }
  });
});
