import { describe, expect, test } from "vitest";
import { BCRYPT, file, clientImport, PLAIN } from "./support.ts";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();
const { importJson, importFile, client } = clientImport(baton);

/** Imports a file with one client twice. Returns the second report on the client. */
async function importTwice(content: string) {
  const csv = file("clients.csv", content);
  await importFile(csv);
  const { clients } = await importJson(csv, "--scope", "");
  const dry = await importJson(csv, "--scope", "", "--dry-run");
  expect(dry.clients).toEqual(clients);
  return clients[0];
}

describe("a client that already exists", () => {
  test.each([
    ["hunter2", "its secret must have at least 16 characters"],
    ["0f".repeat(32), "its secret may be a SHA-256 hash"],
    [BCRYPT, "its secret is hashed"],
  ])("is listed again for its secret %s", async (secret, note) => {
    const id = fresh("client");
    expect(await importTwice(`id,secret\n${id},${secret}\n`)).toEqual({
      client_id: id,
      outcome: "there_already",
      notes: [note],
    });
  });

  test("has its missing redirect URIs listed", async () => {
    const id = fresh("client");
    const uris = "https://a.example.com/cb,http://b.example.com/cb";
    const again = await importTwice(
      `id,secret,redirect\n${id},${PLAIN},"${uris}"\n`,
    );
    expect(again).toEqual({
      client_id: id,
      outcome: "there_already",
      notes: ["without the redirect URI http://b.example.com/cb"],
    });
    await baton.json(
      ["clients", "update", id],
      ["--redirect-uri", "https://c.example.com/cb"],
    );
    const csv = file(
      "clients.csv",
      `id,secret,redirect\n${id},,"https://a.example.com/cb,https://c.example.com/cb"\n`,
    );
    const { stdout } = await importFile(csv);
    expect(stdout).toContain(
      `  ${id}: without the redirect URI https://a.example.com/cb\n`,
    );
  });

  test("as a public client gets no note about a secret", async () => {
    const id = fresh("client");
    await baton.json("clients", "create", "--id", id, "--public");
    const csv = file("clients.csv", `id,secret\n${id},hunter2\n`);
    const { clients } = await importJson(csv, "--scope", "");
    expect(clients[0]).toMatchObject({ notes: [] });
  });

  test("and gets its secret has its missing redirect URIs listed", async () => {
    const id = fresh("client");
    const row = (secret: string) =>
      file("c.csv", `id,secret,redirect\n${id},${secret},http://b.example/\n`);
    await importFile(row(BCRYPT));
    const { clients } = await importJson(
      row("hunter2"),
      ["--scope", ""],
      "--allow-weak-secrets",
    );
    expect(clients[0]).toMatchObject({
      outcome: "secret_given",
      notes: [
        "its secret is easy to guess",
        "without the redirect URI http://b.example/",
      ],
    });
  });
});

describe("a client that is not to be imported", () => {
  test.each([
    ["revoked", "it is revoked at the old server"],
    ["personal_access_client", "it is for personal access tokens, which"],
  ])(
    "because of %s, but exists here, is listed with what to do",
    async (column, reason) => {
      const [id, other] = [fresh("client"), fresh("client")];
      await baton.json("clients", "create", "--id", id);
      const csv = file(
        "clients.csv",
        `id,secret,${column}\n${id},,1\n${other},,1\n`,
      );
      for (const more of [[], ["--dry-run"]]) {
        const { clients } = await importJson(csv, "--scope", "", more);
        expect(clients.map(({ outcome }) => outcome)).toEqual([
          "left_out",
          "left_out",
        ]);
        const [note] = clients[0]?.notes ?? [];
        expect(note).toContain(`left out: ${reason}`);
        expect(note).toContain(
          `This server has a client with the same id; to delete it: \`npm run baton -- clients delete ${id}\``,
        );
        expect(clients[1]?.notes[0]).not.toContain("clients delete");
      }
      expect(await client(id)).toMatchObject({ client_id: id });
    },
  );

  test("has its id quoted for the shell", async () => {
    const id = `-${fresh("it's a client")}`;
    await baton.json("clients", "create", `--id=${id}`);
    const csv = file("clients.csv", `id,secret,revoked\n${id},,1\n`);
    const { clients } = await importJson(csv, "--scope", "");
    expect(clients[0]?.notes[0]).toContain(
      String.raw`clients delete -- '-it'\''s a client-`,
    );
  });
});

describe("NULL", () => {
  test.each(["NULL", "null", "<null>", "[NULL]", "(null)", "\\N", "Null"])(
    "written as %s is not imported as a secret or a name",
    async (spelling) => {
      const [id, other] = [fresh("client"), fresh("client")];
      const files = [
        file(
          "clients.csv",
          `id,name,secret,redirect\n${id},${spelling},${spelling},${spelling}\n`,
        ),
        file(
          "clients.json",
          JSON.stringify([{ id: other, secret: spelling, name: spelling }]),
        ),
      ];
      for (const path of files) await importFile(path);
      for (const name of [id, other]) {
        const made = await client(name);
        expect(made).toMatchObject({
          token_endpoint_auth_method: "none",
          redirect_uris: [],
        });
        expect(made).not.toHaveProperty("client_name");
      }
    },
  );
});
