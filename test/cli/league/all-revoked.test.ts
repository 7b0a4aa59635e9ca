import { describe, expect, test } from "vitest";
import { file, leagueStub } from "./support.ts";

/** Which rows count as revoked tokens. A mistake would log every user out, and this cannot be undone. */

describe("a table without a column revoked", () => {
  test.each([
    "id,expires_at\na1,\nb2,\n",
    "id,active\na1,1\nb2,0\n",
    "id;access_token_id\na1;x1\n",
    "refresh_token_id\tuser_id\na1\t7\n",
  ])("is refused, with what to do (%#)", async (content) => {
    const stub = await leagueStub();
    const csv = file("tokens.csv", content);
    const { code, stdout, stderr } = await stub.run("import-revoked", csv);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`${csv} has no column revoked`);
    expect(stderr).toContain("--all-revoked");
    expect(stub.bodies).toEqual([]);
  });

  test.each(["id,expires_at\na1,\n", "id,revoked_at\na1,2026-01-31\n"])(
    "is accepted with --all-revoked (%#)",
    async (content) => {
      const stub = await leagueStub();
      const csv = file("tokens.csv", content);
      const { code } = await stub.run(["import-revoked", csv, "--all-revoked"]);
      expect(code).toBe(0);
      expect(stub.tokens).toEqual([{ refresh_token_id: "a1" }]);
    },
  );

  test.each(["a1\n", "id\na1\n"])(
    "is accepted as a list if it has only ids (%#)",
    async (content) => {
      const stub = await leagueStub();
      await stub.run("import-revoked", file("ids.txt", content));
      expect(stub.tokens).toEqual([{ refresh_token_id: "a1" }]);
    },
  );

  test("with the column revoked, --all-revoked is refused", async () => {
    const stub = await leagueStub();
    const csv = file("tokens.csv", "id,revoked\na1,1\nb2,0\n");
    const { code, stderr } = await stub.run(
      ["import-revoked", csv],
      "--all-revoked",
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      "has a column revoked, which says for each row whether the token is revoked",
    );
    expect(stub.bodies).toEqual([]);
  });
});

describe("import-revoked --dry-run", () => {
  test("counts tokens and sends nothing", async () => {
    const stub = await leagueStub();
    const csv = file(
      "tokens.csv",
      "id,revoked,expires_at\na1,1,\nb2,0,\nc3,1,1\nd4,1,\n",
    );
    const { code, stdout } = await stub.run("import-revoked", csv, "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toContain("2 revoked tokens would be sent.\n");
    const json = await stub.run(["import-revoked", csv, "--dry-run", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      dry_run: true,
      rows: 4,
      not_revoked: 1,
      expired: 1,
      would_be_sent: 2,
    });
    expect(stub.bodies).toEqual([]);
  });

  test("reports a wrong line", async () => {
    const stub = await leagueStub();
    const csv = file("tokens.csv", "id,revoked\na1,1\nb2,?\n");
    const { code, stderr } = await stub.run(
      ["import-revoked", csv],
      "--dry-run",
    );
    expect(code).toBe(1);
    expect(stderr).toContain("line 3, column revoked");
  });
});
