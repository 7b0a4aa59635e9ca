import { describe, expect, test } from "vitest";
import {
  DAY,
  deployed,
  firstSecrets,
  healthKeys,
  LIVES,
  value,
} from "./support.ts";

/** Secrets of a server whose keys were rotated some seconds ago. */
function rotated(secondsAgo: number): Record<string, string> {
  return {
    ...firstSecrets(),
    ENCRYPTION_KEY_B: value("encryption", -secondsAgo),
    PRIVATE_KEY_B: value("private", -secondsAgo),
  };
}

const expired = LIVES.encryption + DAY;

/** The time some seconds after the start of the key in a secret, as the command line writes it. */
function timeAfter(secret = "", seconds = 0): string {
  const from = Date.parse(/^from=([^;]+);/.exec(secret)?.[1] ?? "");
  return new Date(from + seconds * 1000).toISOString().slice(0, 19);
}

describe("baton keys retire", () => {
  test("removes a key that is not needed any more, and nothing else", async () => {
    const old = rotated(expired);
    const server = await deployed(old);
    const { code, stdout } = await server.keys(
      "retire",
      "ENCRYPTION_KEY",
      "--yes",
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Retired ENCRYPTION_KEY\.\n\nSECRET /);
    const { ENCRYPTION_KEY: _, ...others } = old;
    expect(server.secrets()).toEqual(others);
    expect(server.changes()).toEqual(["secret delete ENCRYPTION_KEY"]);
  });

  test("says what will happen and asks: without a terminal it needs --yes", async () => {
    const server = await deployed(rotated(expired));
    const { code, stderr } = await server.keys("retire", "PRIVATE_KEY");
    expect([code, server.changes()]).toEqual([2, []]);
    expect(stderr).toContain("loses the private key PRIVATE_KEY.");
    expect(stderr).toContain("has expired, so nobody notices.");
    expect(stderr).toContain(
      "The same by hand: npx wrangler secret delete PRIVATE_KEY\n",
    );
    expect(stderr).toContain("add --yes");
  });

  test("takes the label for the name, if one key has it", async () => {
    const one = await deployed({
      ...rotated(expired),
      ENCRYPTION_KEY_C: value("encryption", -DAY - LIVES.encryption),
      ENCRYPTION_KEY_D: value("encryption", -DAY - LIVES.encryption + 9),
    });
    expect((await one.keys("retire", "C", "--yes", "--force")).code).toBe(0);
    expect(one.changes()).toEqual(["secret delete ENCRYPTION_KEY_C"]);
    const two = await one.keys("retire", "B", "--yes");
    expect(two.code).toBe(2);
    expect(two.stderr).toContain(
      "Two keys have the label B. Choose one of them: ENCRYPTION_KEY_B or PRIVATE_KEY_B.",
    );
    const none = await one.keys("retire", "2020", "--yes");
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("There is no key with the label 2020.");
    expect(one.changes()).toHaveLength(1);
  });

  test("refuses the key that makes tokens, also with --force", async () => {
    const server = await deployed(rotated(expired));
    for (const [secret, kind] of [
      ["ENCRYPTION_KEY_B", "encryption"],
      ["PRIVATE_KEY_B", "private"],
    ] as const) {
      const { code, stderr } = await server.keys(
        ["retire", secret],
        "--force",
        "--yes",
      );
      expect([code, server.changes()]).toEqual([1, []]);
      expect(stderr).toContain(
        `${secret} was not removed, because it makes the server's tokens now. Rotate first: npm run baton -- keys rotate --kind ${kind}.`,
      );
    }
  });

  test("refuses the key that makes tokens, and names the one that takes over", async () => {
    const PRIVATE_KEY_B = value("private", 3600);
    const server = await deployed({ ...firstSecrets(), PRIVATE_KEY_B });
    const { code, stderr } = await server.keys(
      ["retire", "PRIVATE_KEY"],
      "--yes",
    );
    expect([code, server.changes()]).toEqual([1, []]);
    const start = timeAfter(PRIVATE_KEY_B);
    expect(stderr).toContain(`PRIVATE_KEY_B takes over at ${start}`);
  });

  test.each([
    ["ENCRYPTION_KEY", LIVES.encryption, "those users sign in again"],
    ["PRIVATE_KEY", LIVES.private, "Nobody is logged out"],
  ])(
    "refuses %s while its tokens may live, and says until when and what --force loses",
    async (secret, life, loss) => {
      const old = rotated(60);
      const server = await deployed(old);
      const refused = await server.keys("retire", secret, "--yes");
      expect([refused.code, server.changes()]).toEqual([1, []]);
      const end = timeAfter(old[`${secret}_B`], life);
      expect(refused.stderr).toContain(`in use until ${end}`);
      expect(refused.stderr).toContain(loss);
      expect(refused.stderr).toContain("add --force.");
      const asked = await server.keys("retire", secret, "--force");
      expect([asked.code, server.changes()]).toEqual([2, []]);
      expect(asked.stderr).toContain(loss);
      const forced = await server.keys("retire", secret, "--force", "--yes");
      expect(forced.code).toBe(0);
      expect(server.changes()).toEqual([`secret delete ${secret}`]);
    },
  );

  test("refuses a key of which the server does not know until when it is needed", async () => {
    const server = await deployed(rotated(expired));
    server.answer((secrets) => ({
      status: "ok",
      keys: healthKeys(secrets).map((key) => ({
        ...key,
        needed_until: undefined,
      })),
    }));
    const { code, stderr } = await server.keys(
      ["retire", "ENCRYPTION_KEY"],
      "--yes",
    );
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain("and the server does not know until when");
  });

  test("cancels a rotation whose key has not started", async () => {
    const old = firstSecrets();
    const server = await deployed({
      ...old,
      PRIVATE_KEY_B: value("private", 600),
    });
    const { code, stderr } = await server.keys(
      ["retire", "PRIVATE_KEY_B"],
      "--yes",
    );
    expect([code, server.secrets()]).toEqual([0, old]);
    expect(stderr).toContain("It has made nothing yet.");
  });

  test("refuses a key that starts within two minutes, because the removal may come too late", async () => {
    const server = await deployed({
      ...firstSecrets(),
      PRIVATE_KEY_B: value("private", 90),
    });
    const { code, stderr } = await server.keys(
      ["retire", "PRIVATE_KEY_B"],
      "--yes",
    );
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain("it may have made tokens");
  });

  test("that was interrupted after the removal can be run again: it waits for the server", async () => {
    const { ENCRYPTION_KEY, ...secrets } = rotated(expired);
    const server = await deployed(secrets);
    server.answer(() => ({
      status: "ok",
      keys: healthKeys({ ENCRYPTION_KEY: String(ENCRYPTION_KEY), ...secrets }),
    }));
    const args = ["retire", "ENCRYPTION_KEY", "--yes"];
    const waiting = await server.keys(args, "--wait", "PT1S");
    expect(waiting.code).toBe(1);
    expect(waiting.stderr).toContain(
      `ENCRYPTION_KEY was removed, but ${server.url} still lists it after PT1S. Run the command again`,
    );
    server.answer(undefined);
    const done = await server.keys(args);
    expect(done.code).toBe(0);
    expect(done.stdout).toContain(
      "There is no key ENCRYPTION_KEY. It is retired already.",
    );
    expect(server.changes()).toEqual([]);
  });

  test("changes nothing where wrangler fails, and says why", async () => {
    const server = await deployed(rotated(expired));
    server.env["FAKE_WRANGLER_FAIL"] = "delete:fetch failed";
    const { code, stderr } = await server.keys(
      ["retire", "ENCRYPTION_KEY"],
      "--yes",
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      "`wrangler secret delete` failed, because Cloudflare could not be reached.",
    );
    expect(server.secrets()).toHaveProperty("ENCRYPTION_KEY");
  });

  test("leaves a key alone that the server does not list", async () => {
    const server = await deployed(rotated(expired));
    server.answer((secrets) => ({
      status: "ok",
      keys: healthKeys(secrets).filter(({ secret }) => !secret.endsWith("Y_B")),
    }));
    const { code, stderr } = await server.keys(
      ["retire", "ENCRYPTION_KEY_B"],
      "--yes",
    );
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain("so it is unknown what the key does");
  });

  test.each(["ADMIN_TOKEN", "PRIVATE_KEY_PASSPHRASE", "a b"])(
    "refuses %s, which is not a key",
    async (name) => {
      const server = await deployed(rotated(expired));
      const { code } = await server.keys("retire", name, "--yes");
      expect([code, server.changes()]).toEqual([2, []]);
    },
  );
});
