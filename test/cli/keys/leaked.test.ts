import { describe, expect, test } from "vitest";
import { deployed, firstSecrets, healthKeys, now, value } from "./support.ts";

const today = () => new Date().toISOString().slice(0, 10).replaceAll("-", "_");

describe("baton keys leaked", () => {
  test("replaces a private key at once, and says how long a forger is believed", async () => {
    const server = await deployed();
    const began = now();
    const { code, stdout, stderr } = await server.keys(
      ["leaked", "private", "PRIVATE_KEY"],
      "--yes",
    );
    expect(code).toBe(0);
    expect(server.changes()).toEqual([
      `secret put PRIVATE_KEY_${today()}`,
      "secret delete PRIVATE_KEY",
    ]);
    const { PRIVATE_KEY, ...secrets } = server.secrets();
    expect(PRIVATE_KEY).toBeUndefined();
    expect(healthKeys(secrets)).toContainEqual(
      expect.objectContaining({
        secret: `PRIVATE_KEY_${today()}`,
        state: "making",
      }),
    );
    expect(stderr).toContain("can make access tokens for anybody");
    expect(stderr).toContain("Nobody is logged out.");
    const [, until = ""] =
      /believes forged tokens until (\S+Z)\./.exec(stdout) ?? [];
    expect(Date.parse(until) / 1000).toBeGreaterThanOrEqual(began + 360);
    expect(Date.parse(until) / 1000).toBeLessThanOrEqual(now() + 361);
  });

  test("replaces an encryption key at once, and says who is logged out and how nobody would be", async () => {
    const server = await deployed();
    const { code, stderr } = await server.keys(
      ["leaked", "encryption"],
      "ENCRYPTION_KEY",
      "--yes",
    );
    expect(code).toBe(0);
    expect(server.changes()).toEqual([
      `secret put ENCRYPTION_KEY_${today()}`,
      "secret delete ENCRYPTION_KEY",
    ]);
    expect(stderr).toContain("those users sign in\nagain.");
    expect(stderr).toContain("npm run baton -- keys rotate --kind encryption");
  });

  test("shows its table of keys without the codes of a colour", async () => {
    const server = await deployed();
    server.env["FORCE_COLOR"] = "1";
    const { stderr } = await server.keys("leaked", "private");
    expect(stderr).toContain("SECRET");
    expect(stderr).not.toContain("\\u001b");
    expect(stderr).not.toContain("\u001b[1m");
  });

  test("names commands for the same environment of wrangler.toml", async () => {
    const server = await deployed();
    const { stderr } = await server.keys([
      "leaked",
      "encryption",
      "--wrangler-env",
      "staging",
    ]);
    expect(stderr).toContain(
      "keys rotate --kind encryption --wrangler-env staging\n",
    );
    expect(stderr).toContain("keys leaked private --wrangler-env staging\n");
  });

  test("asks before the first step: without a terminal nothing changes", async () => {
    const server = await deployed();
    const { code, stderr } = await server.keys("leaked", "private");
    expect([code, server.changes()]).toEqual([2, []]);
    expect(stderr).toMatch(
      /Step 1: [^]*The same by hand: npm run -s baton -- keys generate --kind private --alg ES256 --from 20\S+Z \| npx wrangler secret put PRIVATE_KEY_20/,
    );
  });

  test("goes on with the removal where it was interrupted", async () => {
    const server = await deployed();
    server.env["FAKE_WRANGLER_FAIL"] = "delete:fetch failed";
    const args = ["leaked", "private", "PRIVATE_KEY", "--yes"];
    const first = await server.keys(args);
    expect(first.code).toBe(1);
    delete server.env["FAKE_WRANGLER_FAIL"];
    const second = await server.keys(args);
    expect(second.code).toBe(0);
    expect(second.stderr).toContain("Step 1 is done");
    const third = await server.keys(args);
    expect([third.code, third.stdout]).toEqual([
      0,
      expect.stringContaining("is removed already."),
    ]);
    expect(server.changes()).toEqual([
      `secret put PRIVATE_KEY_${today()}`,
      "secret delete PRIVATE_KEY",
      "secret delete PRIVATE_KEY",
    ]);
  });

  test("makes another new key if that of the day has leaked too", async () => {
    const name = `PRIVATE_KEY_${today()}`;
    const server = await deployed({
      ...firstSecrets(),
      [name]: value("private", -60),
    });
    await server.keys("leaked", "private", name, "--yes");
    expect(server.changes()).toEqual([
      `secret put ${name}_2`,
      `secret delete ${name}`,
    ]);
    expect(server.secrets()).toHaveProperty("PRIVATE_KEY");
  });

  test("does not give a new key the name of one that has leaked before on the same day", async () => {
    const name = `PRIVATE_KEY_${today()}`;
    const server = await deployed({
      ...firstSecrets(),
      [`${name}_2`]: value("private", -60),
    });
    const rotated = await server.keys(
      ["rotate", "--kind", "private"],
      "--dry-run",
    );
    expect(rotated.stderr).toContain(`was rotated today: ${name}_2 exists`);
    await server.keys("leaked", "private", `${name}_2`, "--yes");
    expect(server.changes()).toEqual([
      `secret put ${name}_3`,
      `secret delete ${name}_2`,
    ]);
  });

  test("removes a leaked key that makes no tokens without making a new one", async () => {
    const server = await deployed({
      ...firstSecrets(),
      ENCRYPTION_KEY_B: value("encryption", -60),
    });
    const { code } = await server.keys(
      ["leaked", "encryption", "ENCRYPTION_KEY"],
      "--yes",
    );
    expect(code).toBe(0);
    expect(server.changes()).toEqual(["secret delete ENCRYPTION_KEY"]);
  });

  test("keeps the leaked key while the server still makes tokens with it", async () => {
    const server = await deployed();
    server.answer((secrets) => ({
      status: "ok",
      keys: healthKeys(secrets).map((key) => ({
        ...key,
        state: key.secret.endsWith("KEY") ? "making" : "pending",
      })),
    }));
    const { code, stderr } = await server.keys(
      ["leaked", "private", "PRIVATE_KEY", "--wait", "PT1S"],
      "--yes",
    );
    expect(code).toBe(1);
    expect(stderr).toContain("still makes tokens with PRIVATE_KEY");
    expect(server.secrets()).toHaveProperty("PRIVATE_KEY");
  });

  test.each([
    [["private", "--yes"], "Say which key has leaked"],
    [["encryption", "--yes"], "There is: ENCRYPTION_KEY."],
    [["private", "ENCRYPTION_KEY"], "ENCRYPTION_KEY is not a private key"],
    [["other"], "Allowed choices are encryption, private"],
  ])("refuses %j and changes nothing", async (args, message) => {
    const server = await deployed();
    const { code, stderr } = await server.keys("leaked", args);
    expect([code, server.changes()]).toEqual([2, []]);
    expect(stderr).toContain(message);
  });

  test("needs the name if there are several keys of the kind", async () => {
    const server = await deployed({
      ...firstSecrets(),
      PRIVATE_KEY_B: value("private", -60),
    });
    const { code, stderr } = await server.keys("leaked", "private");
    expect([code, server.changes()]).toEqual([2, []]);
    expect(stderr).toContain("There are: PRIVATE_KEY, PRIVATE_KEY_B.");
  });
});
