import { describe, expect, test } from "vitest";
import { BCRYPT, file, clientImport, PLAIN } from "./support.ts";
import { batonWithServer, fresh } from "../support.ts";

const baton = batonWithServer();
const { importFile, client } = clientImport(baton);

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
  ])("creates no client (%#)", async (content, message) => {
    const id = fresh("client");
    const path = file("clients", content.replaceAll("A", id));
    const { code, stdout, stderr } = await importFile(path);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.startsWith(path)).toBe(true);
    expect(stderr).toContain(message);
    expect((await baton.run("clients", "show", id)).code).toBe(1);
  });

  test("a table with the column confidential needs no column secret", async () => {
    const [web, app] = [fresh("client"), fresh("client")];
    const csv = file("clients.csv", `id,confidential\n${web},1\n${app},0\n`);
    const { code, stdout } = await importFile(csv);
    expect(code).toBe(0);
    expect(stdout).toContain("These need a secret");
    expect(await client(app)).toMatchObject({
      token_endpoint_auth_method: "none",
    });
  });

  // Without a header, the first line of an export is a client with its secret.
  test.each([
    `1,NULL,name,${PLAIN},https://a.example.com/cb,0\n`,
    `name,${PLAIN},secret\n`,
    `${PLAIN},id,id\n`,
    `1\t${PLAIN}\trevoked\n`,
    `revoke-${PLAIN},secret\n`,
    `{"${PLAIN}":7}`,
  ])(
    "an error does not quote text that may be a secret (%#)",
    async (content) => {
      const { code, stderr } = await importFile(file("clients", content));
      expect(code).toBe(1);
      expect(stderr).not.toContain(PLAIN);
    },
  );

  test("the error lists the known columns", async () => {
    const csv = file("clients.csv", `Name,note,secret\nx,y,${BCRYPT}\n`);
    const { stderr } = await importFile(csv);
    expect(stderr).toContain(
      "has no column id or identifier or client_id. Export the table with that column. Its first line has 3 columns; of these, Baton knows: secret, Name.",
    );
  });
});

test("the report shows the authentication and the grant types of each client", async () => {
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

test("the report shows an existing client as it is at the server", async () => {
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
