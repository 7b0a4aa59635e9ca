import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "./support/log.ts";
import { refusal, server, serverWith } from "./support/server.ts";

/** ENCRYPTION_KEY and ADMIN_TOKEN with what a secret store or a shell leaves around them. */

/** `[description, what becomes of the value]` */
const wrappings: [string, (value: string) => string][] = [
  ["a line break at its end", (value) => `${value}\n`],
  ["a Windows line break at its end", (value) => `${value}\r\n`],
  ["spaces and tabs around it", (value) => ` \t${value}  \t`],
  ["a byte order mark", (value) => `\ufeff${value}`],
  ["double quotes", (value) => `"${value}"`],
  ["single quotes", (value) => `'${value}'`],
  ["back quotes", (value) => `\`${value}\``],
  ["quotes and a line break", (value) => `"${value}"\n`],
  ["a line break inside quotes", (value) => `"${value}\n"`],
  ["two kinds of quotes", (value) => `'"${value}"'`],
];

/** What is not a wrapping and does not belong to the value either: `[description, value, the problem]`. */
const damages: [string, (value: string) => string, RegExp][] = [
  ["one quote at its beginning", (value) => `"${value}`, /quotation mark/],
  ["one quote at its end", (value) => `${value}"`, /quotation mark/],
  ["a single quote at its end", (value) => `${value}'\n`, /quotation mark/],
  ["a back quote at its beginning", (value) => `\`${value}`, /quotation mark/],
  [
    "two kinds of quotes, one at each end",
    (value) => `"${value}'`,
    /quotation mark/,
  ],
  ["three pairs of quotes", (value) => `'"\`${value}\`"'`, /quotation mark/],
  ["escaped quotes", (value) => `\\"${value}\\"`, /quotation mark/],
  ["a literal line break", (value) => `${value}\\n`, /backslash/],
  ["a literal carriage return", (value) => `${value}\\r`, /backslash/],
  ["a literal Windows line break", (value) => `${value}\\r\\n`, /backslash/],
  ["a line break escaped twice", (value) => `${value}\\\\n`, /backslash/],
  [
    "a literal line break inside quotes",
    (value) => `"${value}\\n"\n`,
    /backslash/,
  ],
  [
    "its name before it",
    (value) => `ADMIN_TOKEN=${value}`,
    /ADMIN_TOKEN=.*value alone/,
  ],
  [
    "its name and quotes before it",
    (value) => `ADMIN_TOKEN = "${value}"`,
    /ADMIN_TOKEN=.*value alone/,
  ],
  [
    "a line of a shell's file",
    (value) => `export ADMIN_TOKEN=${value}`,
    /ADMIN_TOKEN=.*value alone/,
  ],
  [
    "its name before it, in quotes",
    (value) => `'ADMIN_TOKEN=${value}'`,
    /ADMIN_TOKEN=.*value alone/,
  ],
  [
    "the command line's name before it",
    (value) => `BATON_ADMIN_TOKEN=${value}`,
    /BATON_ADMIN_TOKEN=.*value alone/,
  ],
];

afterEach(() => {
  vi.restoreAllMocks();
});

const random = () => crypto.getRandomValues(new Uint8Array(32)).toBase64();

describe("ADMIN_TOKEN", () => {
  const token = "a-token-of-an-administrator";
  const call = (ADMIN_TOKEN: string, sent: string) =>
    serverWith({ ADMIN_TOKEN }).http("/admin/scopes", {
      headers: { Authorization: `Bearer ${sent}` },
    });

  it.each(wrappings)("may have %s", async (_, wrap) => {
    const ADMIN_TOKEN = wrap(token);
    expect((await call(ADMIN_TOKEN, token)).status).toBe(200);
    const health = await serverWith({ ADMIN_TOKEN, ISSUER: "" }).health(token);
    expect(await health.json()).toEqual({
      status: "failing",
      problems: [{ name: "ISSUER", problem: "is not set" }],
    });
  });

  it.each(damages)(
    "with %s is refused, and the log says why",
    async (_, damage, problem) => {
      const lines = listenToLog();
      expect(await refusal(await call(damage(token), token))).toEqual([
        500,
        "server_error",
        "configuration_malformed",
      ]);
      const [line] = parsedLog(lines).filter((each) => "problems" in each);
      expect(line?.["problems"]).toEqual([
        { name: "ADMIN_TOKEN", problem: expect.stringMatching(problem) },
      ]);
      expect(lines.join()).not.toContain(token);
    },
  );

  it.each([
    `a-token"of-an'administrator`,
    "a-token\\nof-an-administrator",
    "a-token-of-an-administrator\\",
    "a-token-of-an-administrator=",
    "A_TOKEN=of-an-administrator",
    "MY_ADMIN_TOKENS=of-an-administrator",
  ])("may be %s", async (odd) => {
    expect((await call(odd, odd)).status).toBe(200);
  });

  it("in a request is compared as it stands", async () => {
    for (const sent of [`"${token}"`, `'${token}'`, `${token} x`, `\\${token}`])
      expect(await refusal(await call(`"${token}"`, sent))).toEqual([
        401,
        "invalid_token",
        "admin_token_wrong",
      ]);
  });

  it.each([
    ["too short", "fifteen-letters", /16 characters/],
    ["one repeated character", "a".repeat(20), /one repeated/],
    ["not one word", "sixteen letters and spaces", /ASCII/],
    ["of two lines", "sixteen-letters\nand-more", /ASCII/],
    ["not ASCII", "sixteen-l\u00e4tters-and-more", /ASCII/],
  ])("that is %s is refused with quotes too", async (_, value, problem) => {
    for (const wrap of [
      (text: string) => text,
      ...wrappings.map(([, w]) => w),
    ]) {
      const health = await serverWith({ ADMIN_TOKEN: wrap(value) }).health(
        // A header has the bytes of a string as Latin-1, and no line break.
        value.includes("\n") || /[^ -~]/.test(value) ? "x" : value,
      );
      expect(health.status).toBe(503);
      const { problems } = await health.json<{ problems?: unknown }>();
      if (problems)
        expect(problems).toEqual([
          { name: "ADMIN_TOKEN", problem: expect.stringMatching(problem) },
        ]);
    }
  });

  it("of quotes and white space alone is not set", async () => {
    for (const ADMIN_TOKEN of ['""', "''", " ", "\n", '" "', "'\"\"'"]) {
      const response = await call(ADMIN_TOKEN, "");
      expect(await refusal(response)).toEqual([
        404,
        "not_found",
        "path_unknown",
      ]);
      const health = await serverWith({ ADMIN_TOKEN, ISSUER: "" }).http(
        "/health",
        { headers: { Authorization: "Bearer " } },
      );
      expect(await health.json()).toEqual({ status: "failing" });
    }
  });
});

describe("ENCRYPTION_KEY", () => {
  const key = env.ENCRYPTION_KEY;

  it.each([
    ...wrappings,
    ["a literal line break", (value: string) => `${value}\\n`],
    ["a literal Windows line break", (value: string) => `"${value}\\r\\n"`],
    ["lines of 20", (value: string) => value.replace(/.{20}/g, "$&\n")],
  ] satisfies typeof wrappings)("may have %s", async (_, wrap) => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const wrapped = serverWith({ ENCRYPTION_KEY: wrap(key) });
    const next = await wrapped.expectRefresh(client, refresh_token);
    await server.expectRefresh(client, next.refresh_token);
  });

  it("may be several, each in quotes of its own", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    for (const [, wrap] of wrappings)
      for (const ENCRYPTION_KEY of [
        [random(), key].map(wrap).join(", "),
        wrap([random(), key].join(",")),
      ]) {
        const health = await serverWith({ ENCRYPTION_KEY }).health();
        expect(health.status).toBe(200);
      }
    const list = `"${random()}", "${key}"\n`;
    await serverWith({ ENCRYPTION_KEY: list }).expectRefresh(
      client,
      refresh_token,
    );
  });

  it.each([
    ["one quote", `"${key}`, /32 random bytes/],
    ["its name before it", `ENCRYPTION_KEY=${key}`, /value alone/],
    ["its name and quotes", `ENCRYPTION_KEY="${key}"`, /value alone/],
    ["a shell's line", `export ENCRYPTION_KEY=${key}\n`, /value alone/],
    ["its name in quotes", `"ENCRYPTION_KEY='${key}'"`, /value alone/],
    ["its name and nothing else", "ENCRYPTION_KEY=", /value alone/],
    ["other quotes at its end", `"${key}'`, /32 random bytes/],
    ["a comma too many", `"${key}",`, /32 random bytes/],
    ["31 bytes", `"${new Uint8Array(31).toBase64()}"`, /32 random bytes/],
    ["one repeated byte", `'${new Uint8Array(32).toBase64()}'`, /repeated/],
    ["the same key in two spellings", `"${key}",${key}`, /twice/],
    [
      "the same key with and without padding",
      `${key},${key.replace("=", "")}`,
      /twice/,
    ],
    ["nothing in its quotes", '""', /not set/],
    ["white space alone", " \n", /not set/],
  ])("with %s is refused", async (_, ENCRYPTION_KEY, problem) => {
    const health = await serverWith({ ENCRYPTION_KEY }).health();
    const text = await health.text();
    expect([health.status, JSON.parse(text)]).toEqual([
      503,
      {
        status: "failing",
        problems: [
          { name: "ENCRYPTION_KEY", problem: expect.stringMatching(problem) },
        ],
      },
    ]);
    expect(text).not.toContain(key);
  });

  it("of another content makes no token good", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const other = serverWith({ ENCRYPTION_KEY: `"${random()}"\n` });
    expect(await refusal(await other.refresh(client, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_forged",
    ]);
  });
});
