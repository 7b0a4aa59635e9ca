import { beforeAll, describe, expect, it } from "vitest";
import { keys, leagueServer, takeOver, vector } from "../support/league.ts";
import { serverWith, type TestClient } from "../support/server.ts";

/** LEAGUE_ENCRYPTION_KEY: which values are valid, and how /health names one that is not. */

const { password, defuse, laravel } = keys;
let demo: TestClient;

beforeAll(async () => {
  demo = await takeOver(serverWith({}), "demo");
});

function health(LEAGUE_ENCRYPTION_KEY: unknown) {
  return serverWith({ LEAGUE_ENCRYPTION_KEY }).health();
}

describe("LEAGUE_ENCRYPTION_KEY", () => {
  it.each([
    ["a password", password.value],
    ["a short password", "secret"],
    [
      "a password with spaces and characters outside ASCII",
      "pässword of the сервер",
    ],
    ["a Defuse key", defuse.value],
    ["a Defuse key in upper case", defuse.value.toUpperCase()],
    ["a Defuse key with a line break at its end", `${defuse.value}\n`],
    ["a Laravel APP_KEY", laravel.value],
    ["a Laravel APP_KEY of 128 bits", "base64:AAAAAAAAAAAAAAAAAAAAAA=="],
    ["a password that is hexadecimal", "def0".repeat(16)],
    ["empty", ""],
    ["left out", undefined],
  ])("may be %s", async (_, key) => {
    const response = await health(key);
    expect(await response.json()).toEqual({ status: "ok" });
  });

  it.each([
    ["a Defuse key that lacks a digit", defuse.value.slice(0, -1), /128/],
    ["a Defuse key with one digit too many", `${defuse.value}0`, /128/],
    [
      "a Defuse key with a wrong digit",
      defuse.value.replace("def000000", "def000001"),
      /checksum/,
    ],
    [
      "a Defuse key with a wrong digit in its checksum",
      defuse.value.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")),
      /checksum/,
    ],
    ["a token instead of the key", `def50200${"ab".repeat(90)}`, /Defuse/],
    ["an APP_KEY that is not base64", "base64:***", /APP_KEY/],
    ["an empty APP_KEY", "base64:", /APP_KEY/],
    ["an APP_KEY of 31 bytes", `base64:${btoa("x".repeat(31))}`, /APP_KEY/],
    ["two lines", "tobeornot\ntobe", /control/],
    [
      "a password with white space before it",
      ` ${password.value}`,
      /white space/,
    ],
    ["not a string", 7, /string/],
  ])("is named as a problem if it is %s", async (_, key, problem) => {
    const response = await health(key);
    expect(response.status).toBe(503);
    const body = await response.json<{
      problems: { name: string; problem: string }[];
    }>();
    expect(body).toEqual({
      status: "failing",
      problems: [
        {
          name: "LEAGUE_ENCRYPTION_KEY",
          problem: expect.stringMatching(problem) as string,
        },
      ],
    });
    // No part of the value, because the value may be almost the real secret.
    const text = JSON.stringify(body);
    for (const part of [defuse.value.slice(8, 40), password.value, "tobe"])
      expect(text).not.toContain(part);
  });

  it.each([
    ["a Defuse key is the same key", "defuse", true],
    ["a Laravel APP_KEY is the same key", "laravel", true],
    [
      "a password is another one, because it may have quotes",
      "password",
      false,
    ],
  ] as const)("in quotes: %s", async (_, kind, isSame) => {
    const { value } = keys[kind];
    for (const [index, wrapped] of [
      value,
      `"${value}"`,
      `'${value}'`,
      ` "${value}"\n`,
    ].entries()) {
      const server = serverWith({ LEAGUE_ENCRYPTION_KEY: wrapped });
      // A password with white space around it is a problem.
      if (!isSame && /^\s/.test(wrapped)) continue;
      const { refresh_token } = vector("plain, as in the documents", kind);
      const response = await server.about("/introspect", demo, refresh_token);
      const { active } = await response.json<{ active: boolean }>();
      expect([index, active]).toEqual([index, isSame || index === 0]);
    }
  });

  it("is named together with all other problems", async () => {
    const response = await serverWith({
      LEAGUE_ENCRYPTION_KEY: "base64:",
      ENCRYPTION_KEY: "x",
    }).health();
    const { problems } = await response.json<{
      problems: { name: string }[];
    }>();
    expect(problems.map(({ name }) => name).toSorted()).toEqual([
      "ENCRYPTION_KEY",
      "LEAGUE_ENCRYPTION_KEY",
    ]);
  });

  it("is not reported by /health if it is valid", async () => {
    for (const key of ["password", "defuse", "laravel"] as const) {
      const response = await leagueServer(key).health();
      expect(await response.json()).toEqual({ status: "ok" });
    }
  });
});
