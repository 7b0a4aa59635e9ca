import { existsSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { LocalServer } from "../../../src/cli/local/local-server.ts";
import { run, temporaryProject } from "../support.ts";
import { ACCOUNT, FakeCloudflare, ISSUER } from "./support.ts";

/** `baton setup`: the first deploy, against a Cloudflare that is a file. */

const firstRun = [
  ["--env", "production", "--issuer", ISSUER, "--yes"],
  ["--scope", "read=Read your notes", "--scope", "write=Change them"],
  ["--client", "Notes", "--redirect-uri", "https://notes.example.com/cb"],
].flat();

describe("the first run", () => {
  test("writes settings, makes keys, deploys, asks for the health, and makes scopes and a client; each step is a command", async () => {
    const cloudflare = await FakeCloudflare.start();
    const { code, stdout, stderr } = await cloudflare.setup(firstRun);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });

    const { secrets, deployed } = cloudflare.worker();
    expect(Object.keys(secrets)).toEqual([
      "PRIVATE_KEY",
      "ENCRYPTION_KEY",
      "ADMIN_TOKEN",
    ]);
    expect(deployed).toMatchObject({
      account_id: ACCOUNT.id,
      vars: { ISSUER, LOGIN_URL: "", ACCESS_TOKEN_TTL: "PT1H" },
      routes: [{ pattern: "auth.example.com", custom_domain: true }],
      workers_dev: false,
    });
    expect(cloudflare.records).toEqual({
      scopes: [
        { scope: "read", description: "Read your notes" },
        { scope: "write", description: "Change them" },
      ],
      clients: [
        {
          client_id: "client-1",
          client_name: "Notes",
          scope: "read write",
          redirect_uris: ["https://notes.example.com/cb"],
        },
      ],
    });
    // The Worker had its keys before it was deployed, so nobody has seen it fail.
    expect(cloudflare.answers.filter((line) => !line.startsWith("20"))).toEqual(
      [],
    );

    // The token, which nothing else can show, is there once. No other secret is.
    const { ADMIN_TOKEN = "", PRIVATE_KEY = "", ENCRYPTION_KEY = "" } = secrets;
    expect(stdout.split(ADMIN_TOKEN)).toHaveLength(2);
    expect(stdout).toContain("baton_cs_secret");
    for (const line of [stdout, ...cloudflare.runs])
      for (const secret of [PRIVATE_KEY, ENCRYPTION_KEY])
        expect(line).not.toContain(secret);
    expect(cloudflare.runs.join("\n")).not.toContain(ADMIN_TOKEN);

    // Each step is a command that one could have typed.
    const commands = stdout
      .split("\n")
      .filter((line) => line.startsWith("  $ "))
      .map((line) => line.slice(4).replace(/(?<=TOKEN=).{43}$/, "TOKEN"));
    expect(commands).toEqual([
      "npx wrangler whoami --json",
      "npx wrangler secret list --name baton",
      `curl -i ${ISSUER}/health`,
      "npx wrangler secret list",
      "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | npx wrangler secret put PRIVATE_KEY",
      "openssl rand -base64 32 | npx wrangler secret put ENCRYPTION_KEY",
      "export BATON_ADMIN_TOKEN=TOKEN",
      'echo "$BATON_ADMIN_TOKEN" | npx wrangler secret put ADMIN_TOKEN',
      "npx wrangler deploy",
      `curl -H "Authorization: Bearer $BATON_ADMIN_TOKEN" ${ISSUER}/health`,
      "npm run baton -- scopes put read 'Read your notes'",
      "npm run baton -- scopes put write 'Change them'",
      "npm run baton -- clients create --name Notes --scope 'read write' --redirect-uri https://notes.example.com/cb",
      `export BATON_URL=${ISSUER}`,
      expect.stringContaining("export BATON_ADMIN_TOKEN="),
      `npm run baton -- profiles add production --url ${ISSUER}`,
      "npm run baton -- --env production health",
    ]);
    expect(cloudflare.runs.at(-1)).toBe("deploy");

    // A real server works with these keys.
    const server = await LocalServer.launch({
      PRIVATE_KEY,
      ENCRYPTION_KEY,
      ADMIN_TOKEN,
    });
    onTestFinished(() => server.stop());
    await server.ready();
  });

  test("asks what it is not told, and again after an answer that cannot be used", async () => {
    const cloudflare = await FakeCloudflare.start();
    const answers = [
      ["Production", "production"],
      ["http://auth.example.com", ISSUER],
      ["https://login.example.com/#top", "https://login.example.com/sign-in"],
      ["read", "read=Read your notes", ""],
      ["Notes", "https://notes.example.com/cb"],
    ].flat();
    const { code, stderr } = await cloudflare.setup([], {
      input: `${answers.join("\n")}\n`,
    });
    expect(code).toBe(0);
    expect(stderr).toContain("Which environment?");
    expect(stderr).toContain("It must begin with https://.");
    expect(stderr).toContain("It must be an https URL without a fragment");
    expect(cloudflare.worker().deployed?.vars).toMatchObject({
      ISSUER,
      LOGIN_URL: "https://login.example.com/sign-in",
    });
    expect(cloudflare.records).toMatchObject({
      scopes: [{ scope: "read", description: "Read your notes" }],
      clients: [
        {
          client_name: "Notes",
          redirect_uris: ["https://notes.example.com/cb"],
        },
      ],
    });
  });

  test("prints with --json the result alone, with the admin token and the client's secret", async () => {
    const cloudflare = await FakeCloudflare.start();
    const { stdout } = await cloudflare.setup([...firstRun, "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      environment: "production",
      worker: "baton",
      issuer: ISSUER,
      settings_file: "wrangler.json",
      secrets: {
        made: ["PRIVATE_KEY", "ENCRYPTION_KEY", "ADMIN_TOKEN"],
        kept: [],
      },
      deployed: true,
      health: "ok",
      admin_token: cloudflare.worker().secrets["ADMIN_TOKEN"],
      scopes: ["read", "write"],
      client: expect.objectContaining({
        client_id: "client-1",
        client_secret: "baton_cs_secret",
      }),
    });
  });
});

describe("--dry-run", () => {
  test("shows every step, and runs and writes nothing", async () => {
    const cloudflare = await FakeCloudflare.start({ loggedIn: false });
    const { code, stdout } = await cloudflare.setup([...firstRun, "--dry-run"]);
    expect(code).toBe(0);
    expect(cloudflare.runs).toEqual([]);
    expect(cloudflare.answers).toEqual([]);
    expect(existsSync(cloudflare.settingsFile)).toBe(false);
    for (const command of [
      "npx wrangler whoami",
      "npx wrangler secret put ENCRYPTION_KEY",
      "npx wrangler deploy",
      "scopes put read",
      "clients create --name Notes",
    ])
      expect(stdout).toContain(command);
    expect(stdout).toContain(`"ISSUER": "${ISSUER}"`);
    // A token that is not set anywhere must not be taken for one.
    expect(stdout).toContain("export BATON_ADMIN_TOKEN=$(openssl rand");
  });
});

describe("--dry-run without a first scope and client", () => {
  test("shows the commands that make them, too", async () => {
    const cloudflare = await FakeCloudflare.start();
    const { code, stdout } = await cloudflare.setup([
      "--env",
      "production",
      "--issuer",
      ISSUER,
      "--yes",
      "--dry-run",
    ]);
    expect(code).toBe(0);
    expect(stdout).toContain("$ npm run baton -- scopes put SCOPE DESCRIPTION");
    expect(stdout).toContain("$ npm run baton -- clients create --name NAME");
    expect(stdout).toContain(
      "With --yes it makes those of --scope and --client only",
    );
    expect(cloudflare.runs).toEqual([]);
  });
});

describe("--env before setup", () => {
  test.each([[["--env", "staging"]], [["--env=staging"]]])(
    "is refused, because it names a profile there: %s",
    async (before) => {
      const directory = temporaryProject();
      const { code, stderr } = await run(
        "baton",
        [...before, "setup", "--dry-run"],
        {
          directory,
        },
      );
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining("setup --env staging"),
      ]);
    },
  );
});

describe("another environment", () => {
  test("is a Worker of its own beside production, with bindings, keys and records of its own", async () => {
    const cloudflare = await FakeCloudflare.start();
    await cloudflare.setup(firstRun);
    const before = cloudflare.worker();
    const staging = "https://baton-staging.example.workers.dev";
    const { code, stderr } = await cloudflare.setup(
      [["--env", "staging"], ["--issuer", staging], "--yes"].flat(),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(cloudflare.worker()).toEqual(before);

    const { secrets, deployed } = cloudflare.worker("baton-staging");
    expect(secrets["ENCRYPTION_KEY"]).not.toBe(
      before.secrets["ENCRYPTION_KEY"],
    );
    expect(deployed).toMatchObject({
      name: "baton-staging",
      vars: { ISSUER: staging, ACCESS_TOKEN_TTL: "PT1H" },
      // Those of production would move its domain to staging.
      routes: [],
      workers_dev: true,
      kv_namespaces: [{ binding: "KV" }],
    });
    expect(deployed?.durable_objects).toEqual(before.deployed?.durable_objects);
    const limits = (of: typeof deployed) =>
      of?.ratelimits.map(({ namespace_id }) => namespace_id);
    expect(limits(deployed)).not.toEqual(limits(before.deployed));
    expect(cloudflare.runs).toContain("deploy --env staging");
    expect(cloudflare.runs).toContain("secret put PRIVATE_KEY --env staging");
  });

  test("before production leaves no production to deploy by mistake: plain deploy stops and says how", async () => {
    const cloudflare = await FakeCloudflare.start();
    const staging = "https://baton-staging.example.workers.dev";
    const { stdout } = await cloudflare.setup(
      [["--env", "staging"], ["--issuer", staging], "--yes"].flat(),
    );
    expect(stdout).toContain(
      "npm run baton -- profiles add staging --url https://baton-staging.example.workers.dev --wrangler-env staging",
    );
    expect(stdout).toContain("production is not set up");
  });
});
