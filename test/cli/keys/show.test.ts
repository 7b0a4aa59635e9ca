import { describe, expect, test } from "vitest";
import {
  DAY,
  deployed,
  firstSecrets,
  healthKeys,
  LIVES,
  value,
} from "./support.ts";

describe("baton keys show", () => {
  test("lists each key with what it does now, since when, and until when it is needed", async () => {
    const server = await deployed({
      ...firstSecrets(),
      ENCRYPTION_KEY_2026_11_26: value("encryption", -60),
      PRIVATE_KEY_2026_11_26: value("private", 3600),
    });
    const { code, stdout } = await server.keys("show");
    expect(code).toBe(0);
    const time = String.raw`20\d\d-\d\d-\d\d \d\d:\d\d`;
    const kid = String.raw`[\w-]{8}…`;
    expect(stdout).toMatch(
      new RegExp(
        [
          String.raw`^SECRET +ALG +KID +STATE +WHEN \(UTC\)`,
          `ENCRYPTION_KEY +${kid}  accepted  until ${time}`,
          `PRIVATE_KEY +ES256  ${kid}  making`,
          `ENCRYPTION_KEY_2026_11_26 +${kid}  making    since ${time}`,
          `PRIVATE_KEY_2026_11_26 +ES256  ${kid}  pending   from ${time}`,
        ].join("\n"),
      ),
    );
    for (const line of stdout.split("\n"))
      expect(line.length).toBeLessThanOrEqual(80);
  });

  test("says which keys are not needed any more", async () => {
    const server = await deployed({
      ...firstSecrets(),
      ENCRYPTION_KEY_B: value("encryption", -LIVES.encryption - DAY),
      PRIVATE_KEY_B: value("private", -60),
    });
    const { stdout } = await server.keys("show");
    expect(stdout).toContain(
      "ENCRYPTION_KEY is not needed any more: npm run baton -- keys retire ENCRYPTION_KEY\n",
    );
    expect(stdout).not.toContain("PRIVATE_KEY is not needed");
  });

  test("prints what the server lists for scripts", async () => {
    const server = await deployed();
    const { stdout } = await server.keys("show", "--json");
    expect(JSON.parse(stdout)).toEqual({ keys: healthKeys(server.secrets()) });
  });

  test("warns if the server has not looked at all clients", async () => {
    const server = await deployed();
    const keys = healthKeys(server.secrets());
    server.answer(() => ({ status: "ok", keys, more_clients: true }));
    const { code, stderr } = await server.keys("show");
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining("looked at its first 1,000 clients only"),
    ]);
  });

  test("runs no wrangler", async () => {
    const server = await deployed();
    await server.keys("show");
    expect(server.commandLines()).toBe("");
  });

  test("cannot be given false lines by a server", async () => {
    const server = await deployed();
    const keys = healthKeys(server.secrets());
    keys[0]!.secret = "A\nB\u001b[2K";
    server.answer(() => ({ status: "ok", keys }));
    const { stdout } = await server.keys("show");
    expect(stdout).toContain(String.raw`A\u000aB\u001b[2K`);
  });
});
