import { describe, expect, test } from "vitest";
import { BCRYPT, file, importing, PLAIN } from "./support.ts";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();
const { importFile, client } = importing(baton);

describe("a file that is not the table of the clients", () => {
  test.each([
    ["id,name,redirect\nA,Notes,\n", "has neither a column secret nor"],
    ["id\nA\n", "has neither a column secret nor"],
    ['[{"id":"A","name":"Notes"}]', "has neither a column secret nor"],
    ['{"A":{"name":"Notes"}}', "has neither a column secret nor"],
    ["id,access_token_id,revoked,expires_at\nA,x,0,\n", "refresh tokens"],
    ["id,access_token_id,secret\nA,x,0\n", "refresh tokens"],
    ["id,revoked,expires_at\nA,0,\n", "seems to be the table of the refresh"],
    ["identifier,expiry_date_time\nA,\n", "table of the refresh tokens"],
    ['[{"id":"A","revoked":0,"expires_at":null}]', "of the refresh tokens"],
    [
      "id,user_id,client_id,name,scopes,revoked,expires_at\nx,7,A,,[],0,\n",
      "seems to be the table of the access tokens",
    ],
  ])("makes no client, public or not (%#)", async (content, says) => {
    const id = fresh("client");
    const path = file("clients", content.replaceAll("A", id));
    const { code, stdout, stderr } = await importFile(path);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.startsWith(path)).toBe(true);
    expect(stderr).toContain(says);
    expect((await baton.run("clients", "show", id)).code).toBe(1);
  });

  test("one that says who is confidential needs no secrets", async () => {
    const [web, app] = [fresh("client"), fresh("client")];
    const csv = file("clients.csv", `id,confidential\n${web},1\n${app},0\n`);
    const { code, stdout } = await importFile(csv);
    expect(code).toBe(0);
    expect(stdout).toContain("These need a secret");
    expect(await client(app)).toMatchObject({
      token_endpoint_auth_method: "none",
    });
  });

  // Without its header an export begins with a client, and with its secret.
  test.each([
    `1,NULL,name,${PLAIN},https://a.example.com/cb,0\n`,
    `name,${PLAIN},secret\n`,
    `${PLAIN},id,id\n`,
    `1\t${PLAIN}\trevoked\n`,
    `revoke-${PLAIN},secret\n`,
    `{"${PLAIN}":7}`,
  ])("an error does not quote what may be a secret (%#)", async (content) => {
    const { code, stderr } = await importFile(file("clients", content));
    expect(code).toBe(1);
    expect(stderr).not.toContain(PLAIN);
  });

  test("the error tells the columns that it knows", async () => {
    const csv = file("clients.csv", `Name,note,secret\nx,y,${BCRYPT}\n`);
    const { stderr } = await importFile(csv);
    expect(stderr).toContain(
      "has no column id or identifier or client_id. Its first line has 3 columns; known of them: secret, Name.",
    );
  });
});

test("the report says how each authenticates, and its grant types", async () => {
  const [web, app, gone] = [1, 2, 3].map(() => fresh("client"));
  const csv = file(
    "clients.csv",
    `id,secret,redirect,revoked\n${web},${PLAIN},https://a.example.com/cb,0\n${app},,,0\n${gone},,,1\n`,
  );
  const made = (words: string) => [
    new RegExp(
      `^${web} +secret +authorization_code refresh_token +${words}$`,
      "m",
    ),
    new RegExp(`^${app} +public +refresh_token +${words}$`, "m"),
    new RegExp(`^${gone} +left out$`, "m"),
  ];
  const dry = await importFile(csv, "--dry-run");
  expect(dry.stdout).toMatch(
    /^CLIENT_ID +NAME +AUTHENTICATION +GRANT TYPES +OUTCOME$/m,
  );
  for (const line of made("would be made")) expect(dry.stdout).toMatch(line);
  const { stdout } = await importFile(csv);
  for (const line of made("made")) expect(stdout).toMatch(line);
});

test("of a client that is there already the report says how it is here", async () => {
  const id = fresh("client");
  await baton.json(
    ["clients", "create", "--id", id, "--public"],
    ["--redirect-uri", "https://a.example.com/cb"],
  );
  const csv = file("clients.csv", `id,secret\n${id},${PLAIN}\n`);
  const { stdout } = await importFile(csv);
  expect(stdout).toMatch(
    new RegExp(`^${id} +public +authorization_code.* there already$`, "m"),
  );
});
