import { describe, expect, test } from "vitest";
import { BCRYPT, file, clientImport, PLAIN } from "./support.ts";
import { batonWithServer, fresh, run, stubServer } from "../support.ts";

const baton = batonWithServer();

const { importJson, importFile, client, authenticates } = clientImport(baton);

async function createScope(): Promise<string> {
  const scope = fresh("scope");
  await baton.json("scopes", "put", scope, "A scope");
  return scope;
}

// Must be the first test of the file, because no other test has created a scope yet.
test("without scopes, the error says what to do", async () => {
  const csv = file("clients.csv", "id,secret\nweb,\n");
  const { code, stderr } = await baton.run("league", "import-clients", csv);
  expect(code).toBe(1);
  expect(stderr).toContain("The server has no scopes yet");
  expect(stderr).toContain("npm run baton -- scopes put");
  expect(stderr).toContain('--scope ""');
});

describe("a client of the old server", () => {
  test("of Passport 12 is imported, and its secret keeps working", async () => {
    const [web, job, app, phone] = [1, 2, 3, 4].map(() => fresh("client"));
    const csv = file(
      "oauth_clients.csv",
      `"id","user_id","name","secret","provider","redirect","personal_access_client","password_client","revoked","created_at","updated_at"
"${web}",NULL,"Notes, on the web","${PLAIN}",NULL,"https://a.example.com/cb,https://b.example.com/cb","0","0","0","2024-01-31 10:20:30","2024-01-31 10:20:30"
"${job}",NULL,"Job","${PLAIN}",NULL,"","0","0","0",NULL,NULL
"${app}",NULL,"First\r\nparty","${PLAIN}","users","http://localhost","0","1","0",NULL,NULL
"${phone}","7","Phone",NULL,NULL,"com.example.phone:/cb","0","0","0",NULL,NULL
`,
    );
    const scope = await createScope();
    const { clients, counts } = await importJson(csv);
    expect(clients).toEqual(
      [web, job, app, phone].map((client_id) => ({
        client_id,
        outcome: "made",
        notes: [],
      })),
    );
    expect(counts).toMatchObject({ made: 4, refused: 0 });
    expect(await client(web!)).toEqual({
      client_id: web,
      client_id_issued_at: expect.any(Number),
      client_name: "Notes, on the web",
      grant_types: ["authorization_code", "refresh_token"],
      scope: expect.stringContaining(scope),
      redirect_uris: ["https://a.example.com/cb", "https://b.example.com/cb"],
      resources: [],
      credentials: [{ created_at: expect.any(Number) }],
    });
    expect(await client(job!)).toMatchObject({
      grant_types: ["refresh_token", "client_credentials"],
      redirect_uris: [],
    });
    expect(await client(app!)).toMatchObject({
      client_name: "First\nparty",
      grant_types: ["refresh_token"],
    });
    expect(await client(phone!)).toMatchObject({
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["com.example.phone:/cb"],
    });
    expect(await authenticates(web!, PLAIN)).toBe(true);
    expect(await authenticates(web!, `${PLAIN}x`)).toBe(false);
  });

  test("of Passport 13 has its URIs and grants in JSON", async () => {
    const id = fresh("client");
    const csv = file(
      "oauth_clients.csv",
      `id,owner_type,owner_id,name,secret,provider,redirect_uris,grant_types,revoked
${id},,,Notes,${PLAIN},,"[""https:\\/\\/a.example.com\\/cb""]","[""authorization_code"",""implicit"",""refresh_token"",""urn:ietf:params:oauth:grant-type:device_code""]",0
`,
    );
    const { clients } = await importJson(csv, "--scope", "");
    expect(clients).toEqual([
      {
        client_id: id,
        outcome: "made",
        notes: [
          "without the grant types implicit, urn:ietf:params:oauth:grant-type:device_code",
        ],
      },
    ]);
    expect(await client(id)).toMatchObject({
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["https://a.example.com/cb"],
      scope: "",
    });
  });

  test("of a MySQL export may have backslash escapes, and quotes that are part of a value", async () => {
    const id = fresh("client");
    const tsv = file(
      "clients.csv",
      [
        "id\tname\tsecret\tredirect_uris\tgrant_types\trevoked",
        String.raw`${id}	"Notes", the\tapp	back\\slash"es-of-a-secret	["https:\\/\\/a.example.com\\/cb"]	["refresh_token"]	0`,
        `${id}-2\tNULL\tNULL\t[]\t\\N\t0`,
        "",
      ].join("\n"),
    );
    const { counts } = await importJson(tsv, "--scope", "");
    expect(counts).toMatchObject({ made: 2 });
    expect(await client(id)).toMatchObject({
      client_name: '"Notes", the\tapp',
      redirect_uris: ["https://a.example.com/cb"],
    });
    expect(await authenticates(id, String.raw`back\slash"es-of-a-secret`)).toBe(
      true,
    );
    expect(await client(`${id}-2`)).toMatchObject({
      token_endpoint_auth_method: "none",
    });
  });

  test("of the example of league/oauth2-server is JSON with the id as key", async () => {
    const id = fresh("myawesomeapp");
    const json = file(
      "clients.json",
      JSON.stringify({
        [id]: {
          secret: "abc123",
          name: "My Awesome App",
          redirect_uri: "http://foo/bar",
          is_confidential: true,
        },
      }),
    );
    const { code, stdout } = await importFile(json, "--allow-weak-secrets");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^${id} +My Awesome App +secret +authorization_code refresh_token +made$`,
        "m",
      ),
    );
    expect(stdout).toContain(
      `  ${id}: without the redirect URI http://foo/bar: must begin with https://`,
    );
    expect(stdout).toContain("The secret of these has fewer than 16");
    expect(await client(id)).toMatchObject({
      client_name: "My Awesome App",
      redirect_uris: [],
      grant_types: ["authorization_code", "refresh_token"],
    });
    expect(await authenticates(id, "abc123")).toBe(true);
  });

  test("may be in a JSON array, with numbers, booleans and null", async () => {
    const scope = await createScope();
    const [one, two] = [7001, 7002];
    const json = file(
      "clients.txt",
      JSON.stringify([
        { id: one, secret: null, redirect_uris: [], scopes: [scope] },
        { id: two, secret: PLAIN, revoked: false, scopes: "*", grants: [] },
      ]),
    );
    expect((await importJson(json)).counts).toMatchObject({ made: 2 });
    expect(await client(String(one))).toMatchObject({
      token_endpoint_auth_method: "none",
      grant_types: ["refresh_token"],
      scope,
    });
    expect(await client(String(two))).toMatchObject({
      grant_types: ["refresh_token"],
      scope: expect.stringContaining(scope),
    });
  });

  test("that is revoked or for personal access tokens is left out and listed", async () => {
    const [revoked, personal, later] = [1, 2, 3].map(() => fresh("client"));
    const csv = file(
      "clients.csv",
      `id;secret;personal_access_client;revoked;grant_types
${revoked};${PLAIN};0;1;
${personal};${PLAIN};1;0;
${later};${PLAIN};0;0;"[""personal_access""]"
`,
    );
    const { clients, counts } = await importJson(csv, "--scope", "");
    expect(counts).toMatchObject({ left_out: 3, made: 0 });
    expect(clients[0]).toEqual({
      client_id: revoked,
      outcome: "left_out",
      notes: ["left out: it is revoked at the old server"],
    });
    for (const id of [revoked!, personal!, later!])
      expect((await baton.run("clients", "show", id)).code).toBe(1);
  });

  test("that is public gets no secret and no client_credentials grant, even if the table has them", async () => {
    const id = fresh("client");
    const csv = file(
      "clients.csv",
      `id,secret,is_confidential,grants\n${id},${PLAIN},f,"client_credentials password"\n`,
    );
    const { clients } = await importJson(csv, "--scope", "");
    expect(clients[0]?.notes).toEqual([
      "without the grant types client_credentials, password",
      "it is a public client: its secret is left out",
    ]);
    expect(await client(id)).toMatchObject({
      token_endpoint_auth_method: "none",
      grant_types: ["refresh_token"],
      credentials: [],
    });
  });

  test("keeps the redirect URIs that the server accepts; the others are listed", async () => {
    const id = fresh("client");
    const uris = [
      "/relative",
      "https://a.example.com/cb",
      "http://b.example.com/cb",
      "https://*.example.com/cb",
      "http://localhost:3000/cb",
    ];
    const csv = file(
      "clients.csv",
      `id,secret,redirect\n${id},,"${uris.join(",")}"\n`,
    );
    const { clients } = await importJson(csv, "--scope", "");
    expect(clients[0]).toMatchObject({ outcome: "made" });
    expect(clients[0]?.notes.map((note) => note.split(": ")[0])).toEqual(
      ["/relative", "http://b.example.com/cb", "https://*.example.com/cb"].map(
        (uri) => `without the redirect URI ${uri}`,
      ),
    );
    expect(await client(id)).toMatchObject({
      redirect_uris: ["https://a.example.com/cb", "http://localhost:3000/cb"],
    });
  });

  test("keeps a redirect URI with an app's own scheme, and the report repeats the server's warning", async () => {
    const [one, other] = [fresh("client"), fresh("client")];
    const uris = [
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "https://a.example.com/cb",
      "myapp://",
      "com.example.app:/cb",
    ];
    const [csv, again] = [one, other].map((id) =>
      file(
        "clients.csv",
        `id,secret,redirect\n${id},,"${uris.join(",")},file:///x"\n`,
      ),
    );
    const { clients, counts } = await importJson(csv!, "--scope", "");
    expect(counts).toMatchObject({ made: 1, refused: 0 });
    expect(clients[0]?.notes).toEqual([
      expect.stringMatching(/^without the redirect URI file:\/\/\/x: must not/),
      expect.stringMatching(
        /^The redirect URI cursor:\/\/.*RFC 8252 section 8\.4/,
      ),
      expect.stringMatching(
        /^The redirect URI myapp:\/\/ .*RFC 8252 section 8\.4/,
      ),
    ]);
    expect(await client(one)).toMatchObject({ redirect_uris: uris });
    const { code, stdout } = await importFile(again!);
    expect(code).toBe(0);
    expect(stdout).toContain("The server warns about these, which work:");
    expect(stdout).toContain(`  ${other}: The redirect URI myapp:// has`);
    const repeated = await importJson(csv!, "--scope", "");
    expect(repeated.clients[0]).toMatchObject({
      outcome: "there_already",
      notes: ["without the redirect URI file:///x"],
    });
  });

  test("keeps them in the JSON array of Passport 13, too", async () => {
    const id = fresh("client");
    const csv = file(
      "oauth_clients.csv",
      `id,secret,redirect_uris,revoked\n${id},,"[""myapp:\\/\\/callback"",""vscode:\\/\\/x.y\\/cb""]",0\n`,
    );
    const { clients } = await importJson(csv, "--scope", "");
    expect(clients[0]).toMatchObject({ outcome: "made" });
    expect(await client(id)).toMatchObject({
      redirect_uris: ["myapp://callback", "vscode://x.y/cb"],
    });
  });
});

describe("a wrong file", () => {
  test.each([
    ["id,secret\nA,x\n,y\n", "line 3, column id: is empty"],
    ["id,secret\nA,\n..,\n", "line 3, column id: must not be . or .."],
    ["id,secret\nA,\n\u00fc,\n", "line 3, column id: must have 1 to 255"],
    [
      "client_id,secret\nA,x\nB,y\nA,z\n",
      "line 4, column client_id: the same id is at line 2",
    ],
    [
      `id,Name,secret\nA,"${"x".repeat(256)}",\n`,
      "line 2, column Name: is longer",
    ],
    ["id,is_confidential\nA,yes\n", "line 2, column is_confidential: must be"],
    [
      'id,redirect_uris,secret\nA,,\nB,"[1]",\n',
      "line 3, column redirect_uris: must be",
    ],
    [
      'id,name,secret,grants\nA,"x\ny",,\nB,,,"{}"\n',
      "line 4, column grants: must be",
    ],
    [
      "id,scopes,secret\nA,,\nB,unheard,\n",
      "line 3, column scopes: the scope unheard",
    ],
    [
      '[{"id":"A","secret":""},{"id":"B","revoked":"x"}]',
      "row 2, column revoked: must be",
    ],
    ['[{"id":"A","secret":""},{"name":"B"}]', "row 2, column id: is empty"],
    [
      '{"A":{"secret":""},"..":{}}',
      "the row of .., column id: must not be . or ..",
    ],
  ])(
    "is reported by line and column, and nothing is imported (%#)",
    async (content, message) => {
      const id = fresh("client");
      const csv = file("clients.csv", content.replaceAll("A", id));
      const { code, stdout, stderr } = await importFile(csv);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(`${csv}: ${message}`);
      expect((await baton.run("clients", "show", id)).code).toBe(1);
    },
  );

  test.each([
    ["name,secret\nx,y\n", "has no column id or identifier or client_id."],
    [
      "1,x\n",
      "line 1 must name the columns. Baton reads these, if the table has them: id, secret, name,",
    ],
    ["web\n", "line 1 must name the columns"],
    ["{", "is not valid JSON"],
    ['"text"', "line 1 must name the columns"],
    ["[7]", "row 1 must be an object"],
    ['{"id":7}', "must be an array of rows, or an object"],
  ])(
    "gets an error that says what the file must be (%#)",
    async (content, message) => {
      const { code, stderr } = await importFile(file("clients", content));
      expect(code).toBe(1);
      expect(stderr).toContain(message);
    },
  );

  test("an unknown --scope is refused, with what to do", async () => {
    const csv = file("clients.csv", "id,secret\nweb,\n");
    const args = ["league", "import-clients", csv, "--scope", "unheard"];
    const { code, stderr } = await baton.run(args);
    expect(code).toBe(1);
    expect(stderr).toContain("--scope: the scope unheard is not in the");
    expect(stderr).toContain("npm run baton -- scopes put unheard");
  });
});

describe("the import", () => {
  test("--dry-run shows what would be created, and creates nothing", async () => {
    const [id, there] = [fresh("client"), fresh("client")];
    await baton.json("clients", "create", "--id", there);
    const csv = file("clients.csv", `id,secret\n${id},${PLAIN}\n${there},\n`);
    const { code, stdout } = await importFile(csv, "--dry-run");
    expect(code).toBe(0);
    expect(stdout.split("\n")[0]).toBe(
      `Server ${baton.server.url}: 2 clients; this is a dry run, nothing was changed.`,
    );
    expect(stdout).toMatch(new RegExp(`^${id} .* would be made$`, "m"));
    expect(stdout).toMatch(new RegExp(`^${there} .* there already$`, "m"));
    const report = await importJson(csv, "--scope", "", "--dry-run");
    expect(report).toMatchObject({
      server: baton.server.url,
      dry_run: true,
      counts: { made: 1 },
    });
    expect((await baton.run("clients", "show", id)).code).toBe(1);
  });

  test("a refused client does not stop the import of the others", async () => {
    const [bad, deleted, good] = [1, 2, 3].map(() => fresh("client"));
    await baton.json("clients", "create", "--id", deleted!);
    await baton.json("clients", "delete", deleted!, "--yes");
    const many = Array.from(
      { length: 101 },
      (_, n) => `https://a.example/${n}`,
    );
    const csv = file(
      "clients.csv",
      `id,redirect,secret\n${bad},"${many.join(",")}",\n${deleted},,\n${good},,\n`,
    );
    const { code, stdout, stderr } = await importFile(csv);
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`^${bad} .* refused$`, "m"));
    expect(stdout).toMatch(
      new RegExp(`^  ${bad}: refused: redirect_uris: `, "m"),
    );
    expect(stdout).toMatch(new RegExp(`^${deleted} .* refused$`, "m"));
    expect(stdout).toContain("refused: a deleted client had this id");
    expect(stdout).toMatch(new RegExp(`^${good} .* made$`, "m"));
    expect(stderr).toContain("The server refused 2 of 3 clients");
  });

  test("if the server fails midway, shows what was imported, and says to run the command again", async () => {
    let made = 0;
    const { port } = await stubServer((request, response) => {
      if (request.method === "POST") made += 1;
      response.statusCode = made < 2 ? 200 : 500;
      const body =
        made < 2 ? { scopes: [] } : { error: "x", error_description: "Broke." };
      response.end(JSON.stringify(body));
    });
    const csv = file("clients.csv", `id,secret\none,${BCRYPT}\ntwo,\n`);
    const { code, stdout, stderr } = await run(
      "baton",
      ["league", "import-clients", csv, "--scope", ""],
      {
        env: {
          BATON_URL: `http://localhost:${port}`,
          BATON_ADMIN_TOKEN: "stub",
        },
      },
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/^one .* made$/m);
    expect(stdout).toContain("These need a secret");
    expect(stderr).toMatch(
      /^http:\S+ has a problem, and could not do this\. .*\nThe import stopped at the client two\. Before that, 1 of 2 clients were processed\. Run the same command again: /,
    );
  });

  test("a name cannot control the terminal, and a table without clients is not an error", async () => {
    const id = fresh("client");
    const csv = file(
      "clients.csv",
      `id,name,secret\n${id},a\u001b[2Jb\u202ec,\n`,
    );
    const { stdout } = await importFile(csv);
    expect(stdout).toContain("a\\u001b[2Jb\\u202ec");
    const none = await importFile(file("clients.csv", "id,secret\n"));
    expect(none.stdout).toBe(
      `Server ${baton.server.url}: the file has no clients.\n`,
    );
  });
});
