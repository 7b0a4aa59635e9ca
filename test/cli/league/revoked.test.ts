import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { file, leagueStub } from "./support.ts";
import { batonWithServer } from "../support.ts";

/** Noon (UTC) of a day in the future, in seconds since 1970. */
const NOON = Date.UTC(2099, 0, 31, 12) / 1000;
const HOUR = 60 * 60;

function id(): string {
  return randomBytes(40).toString("hex");
}

describe("baton league import-revoked", () => {
  test("sends a list of ids, one per line, without blank lines and white space", async () => {
    const stub = await leagueStub();
    const list = file("ids.txt", "\n  b2 \r\n\r\na1\n \nc3");
    const outcome = await stub.run("import-revoked", list);
    expect(outcome).toEqual({
      code: 0,
      stdout: `Server ${stub.url}: read 3 rows of ${list}.\n3 revoked tokens are refused now.\n`,
      stderr: "",
    });
    expect(stub.requests).toContain("POST /admin/league/revoked-tokens");
    expect(stub.bodies).toHaveLength(1);
    expect(stub.bodies[0]).toEqual({
      tokens: [
        { refresh_token_id: "b2" },
        { refresh_token_id: "a1" },
        { refresh_token_id: "c3" },
      ],
    });
  });

  test("sends the revoked rows of Passport's table, with expires_at", async () => {
    const stub = await leagueStub();
    const csv = file(
      "oauth_refresh_tokens.csv",
      `id,access_token_id,revoked,expires_at
a1,x1,1,${NOON}
b2,x2,0,${NOON}
c3,x3,1,\\N
d4,x4,1,2001-01-31 10:20:30
`,
    );
    const { code, stdout } = await stub.run(
      ["import-revoked", csv, "--json"],
      ["--refresh-token-ttl", "P1M"],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      server: stub.url,
      accepts_tokens: true,
      dry_run: false,
      rows: 4,
      not_revoked: 1,
      in_force: 2,
      expired: 1,
      ended: 0,
    });
    expect(stub.bodies).toEqual([
      {
        tokens: [
          { refresh_token_id: "a1", expires_at: NOON },
          { refresh_token_id: "c3" },
        ],
        refresh_token_ttl: "P1M",
      },
    ]);
  });

  test("says how many tokens had expired or were not revoked, and how many grants were revoked", async () => {
    const stub = await leagueStub(() => ({
      status: 200,
      body: { in_force: 1, expired: 1, ended: 1 },
    }));
    const csv = file("tokens.csv", "id,revoked\na1,t\nb2,f\nc3,TRUE\n");
    const { stdout } = await stub.run("import-revoked", csv);
    expect(stdout).toBe(
      [
        `Server ${stub.url}: read 3 rows of ${csv}.`,
        "1 revoked token is refused now.",
        "1 revoked token had already expired and needs no entry.",
        "1 token was left out, because it is not revoked.",
        "1 grant of this server was revoked, because it came from a revoked token.",
        "",
      ].join("\n"),
    );
  });

  test.each([
    ["a BOM and CRLF", "\ufeffid,revoked\r\na1,1\r\nb2,0\r\n"],
    ["semicolons and quotes", '"id";"revoked"\n"a1";"1"\n"b2";"0"\n'],
    ["tabs", "id\trevoked\na1\t1\nb2\t0\n"],
    ["tabs and quotes", '"id"\t"revoked"\n"a1"\t"1"\n"b2"\t"0"\n'],
    ["columns in another order and case", "Revoked,note,ID\n1,,a1\n0,,b2\n"],
    ["a quoted line break", 'note,id,revoked\n"two\r\nlines",a1,1\n,b2,0\n'],
    ["no line break at the end", "id,revoked\nb2,false\na1,true"],
    ["carriage returns as line breaks", "id,revoked\rb2,0\ra1,1\r"],
    ["white space", "id , revoked\n a1 , 1 \n b2, 0\n"],
    [
      "the column names of league/oauth2-server",
      "identifier,is_revoked\na1,1\nb2,0\n",
    ],
  ])("reads a table with %s", async (_, content) => {
    const stub = await leagueStub();
    const { code, stderr } = await stub.run(
      "import-revoked",
      file("tokens.csv", content),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stub.tokens).toEqual([{ refresh_token_id: "a1" }]);
  });

  test.each([
    [String(NOON), NOON],
    ["2099-01-31T12:00:00Z", NOON],
    ["2099-01-31T14:00:00+02:00", NOON],
    ["2099-01-31 07:30:00-0430", NOON],
    ["2099-01-31 12:00:00.000001+00", NOON + 1],
    // Without a time zone: the latest possible time.
    ["2099-01-31 12:00:00", NOON + 12 * HOUR],
    ["2099-01-31 12:00:00.000", NOON + 12 * HOUR],
    ["2099-01-31T12:00:00.5", NOON + 12 * HOUR + 1],
  ])("reads %s as a time", async (text, expires_at) => {
    const stub = await leagueStub();
    const csv = file("tokens.csv", `id,revoked,expires_at\na1,1,"${text}"\n`);
    const { stderr } = await stub.run("import-revoked", csv);
    expect(stderr).toBe("");
    expect(stub.tokens).toEqual([{ refresh_token_id: "a1", expires_at }]);
  });

  test.each([
    ["id,revoked\na1,1\nb2,2\n", "line 3, column revoked: must be 0 or 1"],
    ["id,Revoked\na1,\n", "line 2, column Revoked: is empty"],
    ["id,expires_at\n\na1,soon\n", "line 3, column expires_at: must be a"],
    ["id,expires_at\na1,2099-02-29 00:00:00\n", "line 2, column expires_at"],
    ["id,expires_at\na1,4105080000000\n", "line 2, column expires_at"],
    ["id,revoked\n,1\n", "line 2, column id: is empty"],
    [`id\na b\n`, "line 2, column id: must be printable ASCII"],
    [`a1\n${"x".repeat(256)}\n`, "line 2, column 1: is longer than 255"],
    ["a1\nb2\nü3\n", "line 3, column 1: must be printable ASCII"],
    ["a1\nb2,c3\n", "line 2, column 1: the line has 2 fields"],
    ["id,revoked\na1,1\nb2\n", "line 3, column 1: the line has 1 field, "],
    ["id,revoked\na1,1,1\n", "line 2, column 2: the line has 3 fields"],
    ['id,note\na1,"x\r\ny\r\nz"\r\nb2,a "word"\n', 'line 5, column 2: a "'],
    ['id,note\na1,"x\n\ny"\n"b2"c,\n', 'line 5, column 1: a "'],
    ['id,note\na1,\nb2,"x\nc3,\nd4,\n', "line 3: a quote is opened but not"],
    ['note,id,revoked\n"a\n\nb",a1,1\n,b2,x\n', "line 5, column revoked"],
    ['note,id,revoked\n"a\nb",a1,x\n', "line 2, column revoked"],
  ])(
    "a wrong line ends the import before anything is sent (%#)",
    async (content, message) => {
      const stub = await leagueStub();
      const csv = file("tokens.csv", content);
      const option = /revoked/i.test(content) ? [] : ["--all-revoked"];
      const { code, stdout, stderr } = await stub.run(
        ["import-revoked", csv],
        option,
      );
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(`${csv}: ${message}`);
      expect(stderr).toMatch(
        /Nothing was imported\. Correct the file and run the command again\.\n$/,
      );
      expect(stub.bodies).toEqual([]);
    },
  );

  test.each(["id|revoked", "'a1'", '"a1', "a1;b2"])(
    "a list with more than an id on a line is not imported: %s",
    async (line) => {
      const stub = await leagueStub();
      const list = file("ids.txt", `a1\n${line}\n`);
      const { code, stderr } = await stub.run(["import-revoked", list]);
      expect(code).toBe(1);
      expect(stderr).toContain(`${list}: line 2`);
      expect(stub.bodies).toEqual([]);
    },
  );

  test("a wrong line at the end of a large file imports nothing", async () => {
    const stub = await leagueStub();
    const rows = Array.from({ length: 50_000 }, () => `${id()},1`);
    const csv = file("tokens.csv", `id,revoked\n${rows.join("\n")}\nlast,?\n`);
    const { code, stderr } = await stub.run("import-revoked", csv);
    expect(code).toBe(1);
    expect(stderr).toContain("line 50002, column revoked: must be");
    expect(stub.bodies).toEqual([]);
  });

  test.each([
    ["access_token_id,revoked\na1,1\n", "has no column id or"],
    ["a1,x1,1\n", "line 1 must name the columns"],
    ["id,id\na1,a2\n", "has the column id twice"],
    ["id,revoked_at\na1,\n", "its column revoked_at is not read"],
    [
      "id,user_id,client_id,name,scopes,revoked,expires_at\n",
      "seems to be the table of the access tokens",
    ],
    [" \n\n", "is empty"],
    ["", "is empty"],
    [Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 8]), "is not text in UTF-8"],
    [Buffer.from("\ufeffid\na1\n", "utf16le"), "is not text in UTF-8"],
    [Buffer.from("id\nm\u00fcller\n", "latin1"), "is not text in UTF-8"],
  ])(
    "a file of another kind is an error that says what it is (%#)",
    async (content, message) => {
      const stub = await leagueStub();
      const path = file("tokens.csv", content);
      const { code, stderr } = await stub.run("import-revoked", path);
      expect(code).toBe(1);
      expect(stderr.startsWith(path)).toBe(true);
      expect(stderr).toContain(message);
      expect(stub.bodies).toEqual([]);
    },
  );

  test("a missing file, a directory and a device get an error in one line", async () => {
    const stub = await leagueStub();
    expect(await stub.run("import-revoked", "/nowhere/tokens.csv")).toEqual({
      code: 1,
      stdout: "",
      stderr: "There is no file /nowhere/tokens.csv. Check the path.\n",
    });
    const directory = await stub.run("import-revoked", "/tmp");
    expect(directory.stderr).toBe(
      "/tmp is a directory. Give the path of a file.\n",
    );
    const device = await stub.run("import-revoked", "/dev/null");
    expect(device.stderr).toMatch(/^\/dev\/null is not a regular file\. .*\n$/);
  });

  test("text from a file cannot control the terminal", async () => {
    const stub = await leagueStub();
    const csv = file("to\u001b[2Jkens.csv", "id,revo\u001b[2Jked\nx,1\n");
    const { stderr } = await stub.run("import-revoked", csv);
    expect(stderr).toContain("to\\u001b[2Jkens");
    expect(stderr).not.toContain("\u001b");
  });

  test("stays within the server's limits, with four requests in parallel", async () => {
    const stub = await leagueStub();
    stub.inFlight.awaited = 4;
    const long = Array.from(
      { length: 500 },
      // JSON writes each of these as two characters.
      () => id().repeat(3) + "\\".repeat(9),
    );
    const short = Array.from({ length: 1000 }, (_, n) => `short-${n}`);
    const list = file(
      "tokens.csv",
      `id,expires_at\n${[...short, ...long].map((each) => `${each},${NOON}`).join("\n")}\n`,
    );
    const { code, stderr } = await stub.run(
      ["import-revoked", list],
      ["--all-revoked", "--refresh-token-ttl", "P1Y"],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stub.tokens.map(({ refresh_token_id }) => refresh_token_id)).toEqual(
      [...short, ...long].toSorted(),
    );
    expect(Math.max(...stub.sizes)).toBeLessThanOrEqual(15_000);
    const lengths = stub.bodies.map(({ tokens }) => tokens.length);
    expect(Math.max(...lengths)).toBe(100);
    expect(stub.inFlight.max).toBe(4);
  });

  test("a table with 100,000 revoked tokens needs little memory", async () => {
    const stub = await leagueStub();
    const row = () => `${id()},${id()},1,${NOON}`;
    const rows = Array.from({ length: 100_000 }, row).join("\n");
    const csv = file("t.csv", `id,access_token_id,revoked,expires_at\n${rows}`);
    const smallHeap = { NODE_OPTIONS: "--max-old-space-size=32" };
    const outcome = await stub.runIn(
      smallHeap,
      "import-revoked",
      csv,
      "--json",
    );
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      rows: 100_000,
      in_force: 100_000,
    });
    expect(stub.tokens).toHaveLength(100_000);
  });

  test("says that the server does not accept tokens of the old server yet", async () => {
    const state = { accepts_tokens: false, exchanged: 0, revoked: 0 };
    const stub = await leagueStub(undefined, state);
    const list = file("ids.txt", "a1\n");
    for (const more of [[], ["--dry-run"]]) {
      const { code, stdout } = await stub.run("import-revoked", list, more);
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /does not accept .* yet, because LEAGUE_ENCRYPTION_KEY is not set\.\n$/,
      );
    }
  });

  test("if the server fails midway, says how many were sent, and to run the command again", async () => {
    let isBroken = true;
    const stub = await leagueStub((_, nth) =>
      isBroken && nth > 12
        ? {
            status: 500,
            body: { error: "server_error", error_description: "It broke." },
          }
        : undefined,
    );
    const list = file("ids.txt", Array.from({ length: 5000 }, id).join("\n"));
    const failed = await stub.run("import-revoked", list);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toMatch(
      /^http:\S+ has a problem, and could not do this\. .*\nBefore that, 1,200 of 5,000 revoked tokens were imported\. Run the same command again: .*\n$/,
    );
    // Only the parallel requests were still sent.
    expect(stub.bodies.length).toBeLessThanOrEqual(16);

    isBroken = false;
    const again = await stub.run("import-revoked", list);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("5,000 revoked tokens are refused now.");
  });

  test("ends before the file is read if the server is not Baton", async () => {
    const stub = await leagueStub(undefined, { nonsense: true });
    const list = file("ids.txt", "a1\n");
    const { code, stderr } = await stub.run("import-revoked", list);
    expect(code).toBe(1);
    expect(stderr).toContain("not like the admin API of Baton");
  });
});

describe("with a real server", () => {
  const baton = batonWithServer();

  test("import-revoked can be repeated, and status counts each token once", async () => {
    const rows = Array.from({ length: 250 }, () => `${id()},1,${NOON}`);
    const csv = file(
      "tokens.csv",
      ["id,revoked,expires_at", ...rows, `${id()},0,${NOON}`, ""].join("\n"),
    );
    for (let times = 0; times < 2; times++) {
      expect(await baton.json("league", "import-revoked", csv)).toEqual({
        server: baton.server.url,
        accepts_tokens: false,
        dry_run: false,
        rows: 251,
        not_revoked: 1,
        in_force: 250,
        expired: 0,
        ended: 0,
      });
      expect(await baton.json("league", "status", csv)).toEqual({
        server: baton.server.url,
        accepts_tokens: false,
        exchanged: 0,
        revoked: 250,
        outstanding: 1,
      });
    }
  });
});
