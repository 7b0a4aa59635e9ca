import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ACCOUNT, FakeCloudflare, ISSUER } from "./support.ts";

/** `baton setup` that is interrupted, run again, or run where something is already. */

const args = ["--env", "production", "--issuer", ISSUER, "--yes"];
const records = [
  ["--scope", "read=Read your notes", "--scope", "write=Change them"],
  ["--client", "Notes"],
].flat();

/** The admin token of an earlier run, in the environment as setup says. */
function withToken(cloudflare: FakeCloudflare) {
  const { ADMIN_TOKEN } = cloudflare.worker().secrets;
  return { env: { BATON_URL: ISSUER, BATON_ADMIN_TOKEN: ADMIN_TOKEN } };
}

describe("setup", () => {
  test("that is killed at every step, one after the other, goes on from there and ends as if nothing had been", async () => {
    const cloudflare = await FakeCloudflare.start();
    const kept = new Map<string, string>();
    for (const command of [
      "whoami",
      "secret list --name",
      "secret list --format",
      "secret put PRIVATE_KEY",
      "secret put ENCRYPTION_KEY",
      "secret put ADMIN_TOKEN",
      "deploy",
    ]) {
      const { code } = await cloudflare.setup([...args, ...records], {
        env: { FAKE_FAULT: `${command}=kill` },
      });
      expect([command, code]).toEqual([command, null]);
      // The fake refuses to set a secret that is there; so does this comparison.
      const { secrets } = cloudflare.state.workers["baton"] ?? { secrets: {} };
      for (const [name, value] of Object.entries(secrets)) {
        expect([name, kept.get(name) ?? value]).toEqual([name, value]);
        kept.set(name, value);
      }
    }
    for (const request of [
      "GET /health",
      "PUT /admin/scopes/write",
      "POST /admin/clients",
    ]) {
      cloudflare.interrupt = (asked) => asked === request;
      const { code } = await cloudflare.setup(
        [...args, ...records],
        withToken(cloudflare),
      );
      expect([request, code]).toEqual([request, null]);
    }
    cloudflare.interrupt = () => false;
    const { code } = await cloudflare.setup(
      [...args, ...records],
      withToken(cloudflare),
    );
    expect(code).toBe(0);
    expect(cloudflare.worker().secrets).toEqual(Object.fromEntries(kept));
    expect([...kept.keys()]).toEqual([
      "PRIVATE_KEY",
      "ENCRYPTION_KEY",
      "ADMIN_TOKEN",
    ]);
    expect(cloudflare.records).toMatchObject({
      scopes: [{ scope: "read" }, { scope: "write" }],
      clients: [{ client_name: "Notes", scope: "read write" }],
    });
  });

  test("says what is there, and changes nothing of it", async () => {
    const cloudflare = await FakeCloudflare.start();
    await cloudflare.setup([...args, ...records]);
    const [before, settings, runs] = [
      cloudflare.state,
      readFileSync(cloudflare.settingsFile, "utf8"),
      cloudflare.runs.length,
    ];
    const { code, stdout } = await cloudflare.setup(
      [...args, ...records],
      withToken(cloudflare),
    );
    expect(code).toBe(0);
    for (const text of [
      "They are there already.",
      "PRIVATE_KEY: is there, and stays.",
      "ADMIN_TOKEN: is there, and stays.",
      "Scopes: read, write.",
      "Clients: client-1.",
    ])
      expect(stdout).toContain(text);
    expect(cloudflare.state).toEqual(before);
    expect(readFileSync(cloudflare.settingsFile, "utf8")).toBe(settings);
    expect(cloudflare.records.clients).toHaveLength(1);
    expect(cloudflare.runs.slice(runs)).toEqual([
      "whoami --json",
      "secret list --format json",
      "deploy",
    ]);
    // Without the token of the first run it stops before the records, and does not fail.
    const later = await cloudflare.setup(args);
    expect(later.code).toBe(0);
    expect(later.stdout).toContain("admin token is from an earlier run");

    // The settings are the operator's: setup changes what it is asked for, and a new version adds what is new.
    const changed = cloudflare.settings;
    changed.vars["ACCESS_TOKEN_TTL"] = "PT5M";
    delete changed.vars["CORS_ORIGINS"];
    writeFileSync(cloudflare.settingsFile, JSON.stringify(changed));
    const toml = join(cloudflare.directory, "wrangler.toml");
    writeFileSync(
      toml,
      readFileSync(toml, "utf8").replace("[vars]", '[vars]\nNEW_ONE = "yes"'),
    );
    const loginUrl = "https://login.example.com/sign-in";
    await cloudflare.setup([...args, "--login-url", loginUrl]);
    expect(cloudflare.worker().deployed?.vars).toMatchObject({
      ISSUER,
      LOGIN_URL: loginUrl,
      ACCESS_TOKEN_TTL: "PT5M",
      CORS_ORIGINS: "",
      NEW_ONE: "yes",
    });
  });

  test.each([
    ["secret put ENCRYPTION_KEY", ["PRIVATE_KEY"]],
    ["deploy", ["PRIVATE_KEY", "ENCRYPTION_KEY", "ADMIN_TOKEN"]],
  ])("says that %s failed, and stops there", async (command, made) => {
    const cloudflare = await FakeCloudflare.start();
    const { code, stderr } = await cloudflare.setup(args, {
      env: { FAKE_FAULT: `${command}=refuse` },
    });
    expect(code).toBe(1);
    expect(stderr).toContain("Something is wrong [code: 10013]");
    expect(stderr).toContain("failed");
    const { secrets, deployed } = cloudflare.worker();
    expect(Object.keys(secrets)).toEqual(made);
    expect(deployed).toBeUndefined();
  });

  test("keeps the keys of a Worker that was deployed by hand, and does not call a server well that is not", async () => {
    const secrets = {
      PRIVATE_KEY_2026_10: "a",
      PRIVATE_KEY_PASSPHRASE: "b",
      ENCRYPTION_KEY: "c",
    };
    const cloudflare = await FakeCloudflare.start({
      workers: { baton: { secrets } },
    });
    // The server of this test knows PRIVATE_KEY alone.
    const { code, stdout, stderr } = await cloudflare.setup([
      ...args,
      "--wait",
      "0",
    ]);
    expect(stdout).toContain("baton is a Baton already");
    expect(cloudflare.worker().secrets).toEqual({
      ...secrets,
      ADMIN_TOKEN: expect.any(String),
    });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("PRIVATE_KEY is not set"),
    ]);
  });
});

describe("setup refuses, and changes nothing,", () => {
  test.each([
    ["--env", "Production"],
    ["--issuer", ""],
    ["--issuer", "http://auth.example.com"],
    ["--name", "Baton"],
    ["--login-url", "http://login.example.com"],
    ["--scope", "read"],
  ])("%s %j", async (option, value) => {
    const cloudflare = await FakeCloudflare.start();
    const { code, stderr } = await cloudflare.setup([...args, option, value]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(new RegExp(`^${option} (?:is empty|must )`)),
    ]);
    expect(cloudflare.runs).toEqual([]);
  });

  test("to guess what nobody has answered", async () => {
    const cloudflare = await FakeCloudflare.start();
    for (const given of [["--env", "production", "--yes"], []]) {
      const { code, stderr } = await cloudflare.setup(given);
      expect(code).toBe(2);
      expect(stderr).toContain("Give it with --");
    }
    expect(cloudflare.runs).toEqual([]);
  });

  test("a login that is missing, and an account that it does not have", async () => {
    const cloudflare = await FakeCloudflare.start({ loggedIn: false });
    const out = await cloudflare.setup(args);
    expect([out.code, out.stderr]).toEqual([
      1,
      expect.stringContaining("npx wrangler login"),
    ]);
    const other = { id: "fedcba9876543210", name: "Other" };
    cloudflare.write({
      ...cloudflare.state,
      loggedIn: true,
      accounts: [ACCOUNT, other],
    });
    const several = await cloudflare.setup(args);
    expect([several.code, several.stderr]).toEqual([
      2,
      expect.stringContaining("--account"),
    ]);
    const wrong = await cloudflare.setup([...args, "--account", "0"]);
    expect(wrong.stderr).toContain("no Cloudflare account 0");
    expect(cloudflare.state.workers).toEqual({});
    expect(new Set(cloudflare.runs)).toEqual(new Set(["whoami --json"]));
  });

  test("the name of a Worker that is not a Baton, and an address at which something else answers", async () => {
    const other = { secrets: { API_KEY: "x" } };
    const cloudflare = await FakeCloudflare.start({
      workers: { baton: other },
    });
    const named = await cloudflare.setup(args);
    expect([named.code, named.stderr]).toEqual([
      1,
      expect.stringContaining("--name"),
    ]);
    cloudflare.another = "<html>A shop</html>";
    const renamed = [...args, "--name", "tokens"];
    const addressed = await cloudflare.setup(renamed);
    expect([addressed.code, addressed.stderr]).toEqual([
      1,
      expect.stringContaining(`Something answers at ${ISSUER} already`),
    ]);
    expect(cloudflare.state.workers).toEqual({ baton: other });
    expect(cloudflare.runs.join("\n")).not.toMatch(/put|deploy/);

    const forced = await cloudflare.setup([...renamed, "--take-over"]);
    expect(forced.code).toBe(0);
    expect(cloudflare.worker("tokens").deployed?.vars["ISSUER"]).toBe(ISSUER);
    expect(cloudflare.worker("baton")).toEqual(other);
  });

  test("to go on where the Worker is at another address than ISSUER says", async () => {
    const cloudflare = await FakeCloudflare.start();
    const { code, stderr } = await cloudflare.setup([
      "--env",
      "production",
      "--yes",
      "--issuer",
      "https://baton.exampel.workers.dev",
    ]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("--issuer https://baton.example.workers.dev"),
    ]);
  });
});
