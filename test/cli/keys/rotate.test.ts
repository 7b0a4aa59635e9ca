import { describe, expect, test, vi } from "vitest";
import { freePort, localUrl } from "../../../src/cli/local/wrangler.ts";
import { run } from "../support.ts";
import {
  DAY,
  deployed,
  firstSecrets,
  healthKeys,
  now,
  value,
} from "./support.ts";

const today = () => new Date().toISOString().slice(0, 10).replaceAll("-", "_");

/** The second at which the key in a secret starts. */
function startOf(text = ""): number {
  return Date.parse(/^from=([^;]+);/.exec(text)?.[1] ?? "") / 1000;
}

/** A pattern of the minutes of a time some seconds after a command that ran between `began` and now. */
function minuteAfter(began: number, seconds: number): string {
  const minutes: string[] = [];
  // The command line rounds up to the minute.
  for (
    let time = began + seconds + 59;
    time <= now() + seconds + 119;
    time += 60
  )
    minutes.push(
      new Date(time * 1000).toISOString().slice(0, 16).replace("T", " "),
    );
  return `(?:${minutes.join("|")})`;
}

describe("baton keys rotate", () => {
  test("sets one new secret for each kind, which starts by itself, and leaves the old ones", async () => {
    const old = firstSecrets();
    const server = await deployed(old);
    const began = now();
    const { code, stdout, stderr } = await server.keys("rotate", "--yes");
    expect([code, stderr]).toEqual([0, expect.stringContaining("Set ")]);
    const secrets = server.secrets();
    const [encryption, key] = [
      `ENCRYPTION_KEY_${today()}`,
      `PRIVATE_KEY_${today()}`,
    ];
    expect(secrets).toEqual({
      ...old,
      [encryption]: expect.stringMatching(/^from=[\dT:-]+Z;[\w+/]{43}=$/),
      [key]: expect.stringMatching(/^from=[\dT:-]+Z;\{.*"alg":"ES256"\}$/),
    });
    for (const [name, after] of [
      [encryption, 900],
      [key, 3600],
    ] as const) {
      expect(startOf(secrets[name])).toBeGreaterThanOrEqual(began + after);
      expect(startOf(secrets[name])).toBeLessThanOrEqual(now() + after + 1);
    }
    expect(server.changes()).toEqual([
      `secret put ${encryption}`,
      `secret put ${key}`,
    ]);
    expect(stdout).toMatch(new RegExp(`^${key} .* pending +from 20`, "m"));
  });

  test("shows what will happen and when, with the commands that one could have typed, before it changes anything", async () => {
    const server = await deployed();
    const args = ["rotate", "--label", "NEXT", "--wrangler-env", "staging"];
    const began = now();
    const { code, stdout } = await server.keys(args, "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `${server.url}, whose secrets are in the deployed Worker of the environment staging`,
      ),
    );
    expect(stdout).toMatch(
      /npm run -s baton -- keys generate --kind encryption --from 20[\dT:-]+Z \| npx wrangler secret put ENCRYPTION_KEY_NEXT --env staging$/m,
    );
    expect(stdout).toMatch(
      /^ {2}20\d\d-\d\d-\d\d \d\d:\d\d(?::\d\d| {3}) {2}It signs\. What PRIVATE_KEY has made stays good\.$/m,
    );
    // The tokens of the stand-in live for an hour, and the new key signs in an hour.
    expect(stdout).toMatch(
      new RegExp(
        `^  ${minuteAfter(began, 7200)} {5}PRIVATE_KEY may go: npm run baton -- keys retire PRIVATE_KEY --wrangler-env staging$`,
        "m",
      ),
    );
    expect(stdout).toContain("Nothing was changed, because of --dry-run.");
    expect(server.changes()).toEqual([]);
    expect(server.commandLines()).toContain("--env staging");
  });

  test("shows the start to the second, unless it is a whole minute", async () => {
    const server = await deployed();
    const rotate = ["rotate", "--kind", "private", "--after"];
    const { stdout } = await server.keys(rotate, "PT10S", "--dry-run");
    const [, from = ""] = /--from (20[\dT:-]+)Z/.exec(stdout) ?? [];
    const start = from.replace("T", " ").replace(/:00$/, "   ");
    expect(stdout).toContain(`\n  ${start}  It signs.`);
  });

  test("changes nothing without a terminal to ask on, unless there is --yes", async () => {
    const server = await deployed();
    const { code, stderr } = await server.keys("rotate");
    expect([code, server.changes()]).toEqual([2, []]);
    expect(stderr).toContain("add --yes");
  });

  test("never shows a key, neither in its output nor on a command line", async () => {
    const server = await deployed();
    const { stdout, stderr } = await server.keys("rotate", "--yes");
    const text = `${stdout}${stderr}${server.commandLines()}`;
    for (const secret of Object.values(server.secrets()))
      expect(text).not.toContain(secret.replace(/^from=[^;]*;/, ""));
    expect(text).not.toContain('"d":');
  });

  test("that is under way is not started twice", async () => {
    const server = await deployed();
    await server.keys("rotate", "--yes");
    const before = server.secrets();
    const { code, stderr } = await server.keys("rotate", "--yes");
    expect(code).toBe(0);
    expect(stderr).toMatch(
      new RegExp(
        `A rotation of the encryption key is pending already: ENCRYPTION_KEY_${today()} takes over at 20`,
      ),
    );
    expect(stderr).toContain("A rotation of the private key is pending");
    expect(server.secrets()).toEqual(before);
  });

  test("that was interrupted between the two keys goes on with the second", async () => {
    const server = await deployed();
    const args = ["rotate", "--label", "B", "--yes"];
    server.env["FAKE_WRANGLER_FAIL"] = "put PRIVATE_KEY_B:fetch failed";
    const first = await server.keys(args);
    expect(first.code).toBe(1);
    expect(first.stderr).toContain("Cloudflare could not be reached");
    delete server.env["FAKE_WRANGLER_FAIL"];
    const second = await server.keys(args);
    expect(second.code).toBe(0);
    expect(server.changes()).toEqual([
      "secret put ENCRYPTION_KEY_B",
      "secret put PRIVATE_KEY_B",
      "secret put PRIVATE_KEY_B",
    ]);
    expect(second.stderr).toContain("ENCRYPTION_KEY_B takes over at");
  });

  test("that was done today is not done again, unless it gets a label", async () => {
    const name = `ENCRYPTION_KEY_${today()}`;
    const server = await deployed({
      ...firstSecrets(),
      [name]: value("encryption", -60),
    });
    const args = ["rotate", "--kind", "encryption", "--yes"];
    const again = await server.keys(args);
    expect([again.code, server.changes()]).toEqual([0, []]);
    expect(again.stderr).toContain(`was rotated today: ${name} exists.`);
    expect((await server.keys(args, "--label", "B")).code).toBe(0);
    expect(server.changes()).toEqual(["secret put ENCRYPTION_KEY_B"]);
  });

  test("never overwrites a key", async () => {
    const old = { ...firstSecrets(), ENCRYPTION_KEY_B: value("encryption") };
    const server = await deployed(old);
    const { code, stderr } = await server.keys(
      ["rotate", "--label", "B", "--kind", "encryption"],
      "--yes",
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      "ENCRYPTION_KEY_B exists already and a key is never overwritten",
    );
    expect(server.secrets()).toEqual(old);
  });

  test("makes a key for the algorithm of the present one, or the one that is asked for", async () => {
    const old = {
      ...firstSecrets(),
      PRIVATE_KEY: value("private", -9, "PS256"),
    };
    const server = await deployed(old);
    const args = ["rotate", "--kind", "private", "--yes", "--label"];
    await server.keys(args, "A", "--bits", "2048", "--alg", "PS256");
    expect(server.secrets()["PRIVATE_KEY_A"]).toMatch(
      /;\{"kty":"RSA".*"alg":"PS256"\}$/,
    );
    const other = await deployed(old);
    await other.keys(args, "A");
    expect(other.secrets()["PRIVATE_KEY_A"]).toContain('"alg":"PS256"');
    const third = await deployed(old);
    await third.keys(args, "A", "--alg", "EdDSA");
    expect(third.secrets()["PRIVATE_KEY_A"]).toContain('"crv":"Ed25519"');
  });

  test("warns if the new key starts before everybody knows it", async () => {
    const server = await deployed();
    const { stdout } = await server.keys("rotate", "--dry-run", [
      "--after",
      "PT30S",
    ]);
    expect(stdout).toContain(
      "Warning: a location that does not have the new key yet refuses its tokens",
    );
    expect(stdout).toContain(
      "Warning: a resource server that has read the JWKS",
    );
    const unhurried = await server.keys("rotate", "--dry-run");
    expect(unhurried.stdout).not.toContain("Warning");
  });

  test("says so if the server does not list the new key in time, and the next run does not make another", async () => {
    const server = await deployed();
    const { ENCRYPTION_KEY, PRIVATE_KEY } = server.secrets();
    const keys = healthKeys({
      ENCRYPTION_KEY: String(ENCRYPTION_KEY),
      PRIVATE_KEY: String(PRIVATE_KEY),
    });
    server.answer(() => ({ status: "ok", keys }));
    const args = ["rotate", "--kind", "private", "--yes", "--wait", "PT1S"];
    const { code, stderr } = await server.keys(args);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `PRIVATE_KEY_${today()} was set, but ${server.url} did not list it within PT1S. Nothing is lost`,
    );
    const again = await server.keys(args);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain(
      `PRIVATE_KEY_${today()} is set and the server does not list it yet`,
    );
    expect(server.changes()).toHaveLength(1);
    server.answer(undefined);
    expect((await server.keys(args)).code).toBe(0);
    expect(server.changes()).toHaveLength(1);
  });

  test("removes a key again with which the server cannot work", async () => {
    const server = await deployed();
    const old = server.secrets();
    server.answer((secrets) =>
      "PRIVATE_KEY_B" in secrets
        ? {
            status: "failing",
            problems: [{ name: "PRIVATE_KEY_B", problem: "is malformed" }],
          }
        : { status: "ok", keys: healthKeys(secrets) },
    );
    const { code, stderr } = await server.keys(
      ["rotate", "--kind", "private", "--label", "B"],
      "--yes",
    );
    expect([code, server.secrets()]).toEqual([1, old]);
    expect(stderr).toContain(
      "PRIVATE_KEY_B was removed again, because the server cannot work with it:\n  PRIVATE_KEY_B is malformed",
    );
  });

  test.each([
    [["--label", "b"], '"b" cannot be the label of a key'],
    [["--label", "PASSPHRASE"], "is not PASSPHRASE"],
    [["--after", "P1M"], "It must be an ISO 8601 duration"],
    [["--after", "P366D"], "at most a year"],
    [["--alg", "HS256"], "--alg must be one of ES256, ES384, EdDSA"],
    [["--bits", "3072"], "--bits is for --alg RS256 and --alg PS256"],
    [["--kind", "encryption", "--alg", "ES256"], "--alg is for private keys"],
    [["--kind", "other"], "Allowed choices are both, encryption, private"],
    [["--local"], "--local is for a server on this machine"],
  ])("refuses %j and changes nothing", async (args, message) => {
    const server = await deployed();
    const { code, stderr } = await server.keys("rotate", args, "--yes");
    expect([code, server.changes()]).toEqual([2, []]);
    expect(stderr).toContain(message);
  });
});

describe("baton keys rotate, before it changes anything, notices", () => {
  test("a store that is not that of the server", async () => {
    const server = await deployed();
    const others = { ...firstSecrets(), PRIVATE_KEY_A: value("private", -DAY) };
    server.answer(() => ({ status: "ok", keys: healthKeys(others) }));
    const { code, stderr } = await server.keys("rotate", "--yes");
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain(
      `${server.url} has the key PRIVATE_KEY_A and the deployed Worker has not: they are probably not the same server. Check BATON_URL, --wrangler-env`,
    );
  });

  test("an admin token of another server", async () => {
    const server = await deployed();
    server.env["BATON_ADMIN_TOKEN"] = "the-token-of-another-server";
    const { code, stderr } = await server.keys("rotate", "--yes");
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain("refused the admin token: BATON_ADMIN_TOKEN");
  });

  test("a server of an older version", async () => {
    const server = await deployed();
    server.answer(() => ({ status: "ok" }));
    const { code, stderr } = await server.keys("rotate", "--yes");
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain("it is an older version of Baton. Deploy this");
  });

  test("a server whose configuration is malformed", async () => {
    const server = await deployed();
    const problems = [{ name: "ISSUER", problem: "is not set" }];
    server.answer(() => ({ status: "failing", problems }));
    const { code, stderr } = await server.keys("rotate", "--yes");
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain("Correct it first:\n  ISSUER is not set");
  });

  test("a server that cannot be reached", async () => {
    const server = await deployed();
    const url = localUrl(await freePort()).replace("localhost", "0.0.0.0");
    server.env["BATON_URL"] = url;
    const { code, stderr } = await server.keys("rotate", "--yes");
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toContain(`There is no server at ${url}.`);
  });

  test("a wrangler that is not signed in", async () => {
    const server = await deployed();
    server.env["FAKE_WRANGLER_FAIL"] = "list:You are not authenticated.";
    const { code, stderr } = await server.keys("rotate", "--yes");
    expect([code, server.changes()]).toEqual([1, []]);
    expect(stderr).toBe(
      "`wrangler secret list` failed, because wrangler is not signed in to Cloudflare. Sign in with `npx wrangler login`, or set the environment variable CLOUDFLARE_API_TOKEN.\n",
    );
  });

  test("that no deployed server was named", async () => {
    const { code, stderr } = await run("baton", ["keys", "rotate", "--yes"], {
      env: { BATON_URL: "http://localhost:9", BATON_ADMIN_TOKEN: "x" },
    });
    expect(code).toBe(2);
    expect(stderr).toContain(
      "http://localhost:9 is a server on this machine. For its keys add --local. For a deployed server set the environment variables BATON_URL",
    );
  });
});

describe("Ctrl-C while a key is set", () => {
  test("ends the command after that step, so that the key is there as a whole", async () => {
    const server = await deployed();
    server.hold(true);
    const command = server.start("rotate", "--yes", "--label", "B");
    await server.wranglerStarted("secret put ENCRYPTION_KEY_B");
    process.kill(-command.child.pid!, "SIGINT");
    await vi.waitFor(
      () => expect(command.output.stderr).toContain("Ending this step first"),
      { timeout: 60_000 },
    );
    server.hold(false);
    const { code, stderr } = await command.outcome();
    expect(code).toBe(130);
    expect(stderr).toContain(
      "Interrupted after this step had ended: ENCRYPTION_KEY_B was set. Run the command again to go on",
    );
    expect(server.changes()).toEqual(["secret put ENCRYPTION_KEY_B"]);
    expect(server.secrets()["ENCRYPTION_KEY_B"]).toMatch(/^from=.*=$/);
    expect((await server.keys("rotate", "--yes", "--label", "B")).code).toBe(0);
    expect(server.changes()).toEqual([
      "secret put ENCRYPTION_KEY_B",
      "secret put PRIVATE_KEY_B",
    ]);
  });
});
