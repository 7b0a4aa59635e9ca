import { describe, expect, test } from "vitest";
import { file, leagueStub } from "./support.ts";

/** Noon (UTC) of a day in the future, in seconds since 1970. */
const NOON = Date.UTC(2099, 0, 31, 12) / 1000;

describe("baton league status", () => {
  const state = { accepts_tokens: true, exchanged: 1200, revoked: 3 };

  test("shows the progress of the move", async () => {
    const stub = await leagueStub(undefined, state);
    expect(await stub.run("status")).toEqual({
      code: 0,
      stdout: [
        `Server ${stub.url} accepts refresh tokens of the old server.`,
        "Exchanged for tokens of this server: 1,200.",
        "Revoked at the old server and refused here: 3.",
        "",
      ].join("\n"),
      stderr: "",
    });
    const { stdout } = await stub.run("status", "--json");
    expect(JSON.parse(stdout)).toEqual({ server: stub.url, ...state });
  });

  test("with a table, counts the active tokens that were not exchanged yet", async () => {
    const stub = await leagueStub(undefined, state);
    const csv = file(
      "tokens.csv",
      `id,revoked,expires_at\na1,0,${NOON}\nexchanged-1,0,${NOON}\nc3,1,${NOON}\nd4,0,1\ne5,0,\nrevoked-1,0,\n`,
    );
    const { stdout } = await stub.run("status", csv);
    expect(stdout).toContain("Not exchanged yet: 2.\n");
    expect(stub.requests).toEqual([
      "GET /admin/league",
      "POST /admin/league/tokens",
    ]);
    expect(stub.asked).toEqual([["a1", "exchanged-1", "e5", "revoked-1"]]);
    const json = await stub.run("status", csv, "--json");
    expect(JSON.parse(json.stdout)).toEqual({
      server: stub.url,
      ...state,
      outstanding: 2,
    });
  });

  test("stays within the server's limits, with four requests in parallel", async () => {
    const stub = await leagueStub(undefined, state);
    stub.inFlight.awaited = 4;
    const rows = Array.from(
      { length: 2000 },
      (_, n) => `${n % 2 ? "exchanged" : "x".repeat(190)}-${n},0,\n`,
    );
    const csv = file("t.csv", `id,revoked,expires_at\n${rows.join("")}`);
    const { code, stdout } = await stub.run("status", csv);
    expect(code).toBe(0);
    expect(stdout).toContain("Not exchanged yet: 1,000.\n");
    expect(stub.asked.flat()).toHaveLength(2000);
    expect(new Set(stub.asked.flat()).size).toBe(2000);
    const lengths = stub.asked.map((ids) => ids.length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(100);
    expect(Math.max(...stub.sizes)).toBeLessThanOrEqual(15_000);
    expect(stub.inFlight.max).toBe(4);
  });

  test("a table without active tokens needs no request about them", async () => {
    const stub = await leagueStub(undefined, state);
    const csv = file("t.csv", `id,revoked,expires_at\na1,1,${NOON}\nb2,0,1\n`);
    const { stdout } = await stub.run("status", csv);
    expect(stdout).toContain("Not exchanged yet: 0.\n");
    expect(stub.asked).toEqual([]);
  });

  test("if the server fails midway, says how many tokens were checked", async () => {
    const error = { error: "server_error", error_description: "It broke." };
    const stub = await leagueStub(() => ({ status: 500, body: error }), state);
    const csv = file("t.csv", `id,revoked,expires_at\na1,0,${NOON}\n`);
    const { code, stdout, stderr } = await stub.run("status", csv);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^http:\S+ has a problem, and could not do this\. .*\nBefore that, 0 of 1 tokens were checked\. Run the same command again\.\n$/,
    );
  });

  test("a wrong line ends the command before any token is sent", async () => {
    const stub = await leagueStub(undefined, state);
    const csv = file("t.csv", `id,revoked,expires_at\na1,0,\nb2,0,soon\n`);
    const { code, stderr } = await stub.run("status", csv);
    expect(code).toBe(1);
    expect(stderr).toContain("line 3, column expires_at");
    expect(stub.asked).toEqual([]);
  });

  test("a file that does not say which tokens are active is refused", async () => {
    const stub = await leagueStub(undefined, state);
    const { code, stderr } = await stub.run("status", file("ids.txt", "a1\n"));
    expect(code).toBe(1);
    expect(stderr).toContain(
      "must have the columns id, revoked and expires_at",
    );
  });
});
