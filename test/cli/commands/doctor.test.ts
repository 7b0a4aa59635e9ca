import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { type Fault, serverWithFault } from "../broken-server.ts";
import {
  batonWithServer,
  run,
  stubServer,
  temporaryProject,
} from "../support.ts";

const good = batonWithServer();

interface Report {
  healthy: boolean;
  findings: {
    check: string;
    subject?: string;
    problem: string;
    why: string;
    remedy: string;
  }[];
}

/** The check and the subject of a finding. */
type Found = [check: string, subject: string | undefined];

/** Examines a server, as an operator and as a script. */
async function examine(env: NodeJS.Dict<string>) {
  const { code, stdout } = await run("baton", ["doctor", "--json"], { env });
  const report = JSON.parse(stdout) as Report;
  const found = report.findings.map(({ check, subject }) => [check, subject]);
  return { code, found, report };
}

/** A server in front of the good one, which changes its answers. */
async function changed(
  change: (path: string, response: ServerResponse, body: string) => string,
): Promise<NodeJS.Dict<string>> {
  const { port } = await stubServer((request, response) => {
    void passOn(request, response, change);
  });
  return {
    BATON_URL: `http://localhost:${port}`,
    BATON_ADMIN_TOKEN: good.server.secrets.ADMIN_TOKEN,
  };
}

async function passOn(
  { url = "", method = "GET", headers }: IncomingMessage,
  response: ServerResponse,
  change: (path: string, response: ServerResponse, body: string) => string,
): Promise<void> {
  const { authorization } = headers;
  const answer = await fetch(good.server.url + url, {
    method,
    headers: authorization === undefined ? {} : { authorization },
    redirect: "manual",
  });
  response.statusCode = answer.status;
  const body = await answer.text();
  // The server is asked at the address of this proxy, and so its issuer would be another one.
  const here = `http://${headers.host}`;
  const renamed = body.replaceAll(good.server.url, here);
  response.end(change(url, response, renamed));
}

describe("baton doctor", () => {
  test("finds nothing wrong with a good server, and says what it has tried", async () => {
    const { code, stdout, stderr } = await good.run("doctor");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.match(/^✓/gm)).toHaveLength(8);
    // workerd sends no Date; Cloudflare adds it.
    expect(stdout.match(/^\?.*/gm)).toEqual([
      "? clock: not checked, because the answer has no Date",
      "? https: not checked, because the server is on this machine",
    ]);
    expect(stdout).toMatch(/^✓ storage, keys and rate limits work: KV \d+ ms/m);
    expect(stdout).not.toContain("✗");
    expect(await good.json("doctor")).toMatchObject({
      server: good.server.url,
      healthy: true,
      findings: [],
    });
    expect(await good.json("clients", "list")).toMatchObject({ clients: [] });
  });

  test("says what is wrong, why it matters and what to do", async () => {
    const env = {
      BATON_URL: good.server.url,
      BATON_ADMIN_TOKEN: "x".repeat(20),
    };
    const { code, stdout, stderr } = await run("baton", ["doctor"], { env });
    expect(code).toBe(1);
    expect(stdout).toContain(
      `✗ admin_token: BATON_ADMIN_TOKEN is not an admin token of ${good.server.url}\n    No command of this command line works.\n    Set BATON_ADMIN_TOKEN to the server's ADMIN_TOKEN`,
    );
    expect(stderr).toBe(`One thing is wrong with ${good.server.url}.\n`);
  });

  test("does not pass if the admin token's role leaves something out, and names it", async () => {
    const { token } = (await good.json(
      ["admin-tokens", "create", "reader"],
      ["--role", "read"],
    )) as { token: string };
    const env = { BATON_URL: good.server.url, BATON_ADMIN_TOKEN: token };
    const { code, stdout, stderr } = await run("baton", ["doctor", "-q"], {
      env,
    });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `Nothing wrong was found with ${good.server.url}, but not everything was looked at. Not examined: admin_token; storage, keys and rate limits.\n`,
    });
    expect(stdout).toMatch(/^\? admin_token: [^\n]*\n\? storage, [^\n]*\n$/);
    const { report } = await examine(env);
    expect(report).toMatchObject({ healthy: false, findings: [] });
    await good.run("admin-tokens", "delete", "reader");
  });

  test("shows nothing of what is good with --quiet", async () => {
    expect(await good.run("doctor", "--quiet")).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  const faults: [what: string, fault: Fault, found: Found[]][] = [
    [
      "an ENCRYPTION_KEY that is cut off",
      { secrets: { ENCRYPTION_KEY: "c2hvcnQ=" } },
      [["configuration", "ENCRYPTION_KEY"]],
    ],
    [
      "a PRIVATE_KEY that is missing",
      { secrets: { PRIVATE_KEY: "" } },
      [["configuration", "PRIVATE_KEY"]],
    ],
    [
      "an ADMIN_TOKEN that is not set",
      { secrets: { ADMIN_TOKEN: "" } },
      [["admin_token", "ADMIN_TOKEN"]],
    ],
    [
      "a lifetime that is no duration",
      { variables: { ACCESS_TOKEN_TTL: "one hour" } },
      [["configuration", "ACCESS_TOKEN_TTL"]],
    ],
    [
      "an ISSUER of another address",
      { variables: { ISSUER: "https://no-such-host.invalid" } },
      [["issuer", "ISSUER"]],
    ],
    [
      "a client's record that is damaged",
      { records: { "client:web": "{" } },
      [["records", "client:web"]],
    ],
    [
      "a scope catalogue that is damaged",
      { records: { scopes: "[]" } },
      [["records", "scopes"]],
    ],
    [
      "a rate limit that is not bound",
      { unbound: ["GUESSES_PER_NETWORK"] },
      [["rate_limits", "GUESSES_PER_NETWORK"]],
    ],
    [
      "a Durable Object class that is not bound",
      { unbound: ["LEAGUE_LEDGER"] },
      [["storage", "LEAGUE_LEDGER"]],
    ],
    [
      "metadata documents without a sign-in page and an open resource",
      { variables: { CLIENT_ID_METADATA_DOCUMENTS: "on", LOGIN_URL: "" } },
      [
        ["registration", "LOGIN_URL"],
        ["registration", "resources"],
      ],
    ],
    ["KV that is not bound", { unbound: ["KV"] }, [["configuration", "KV"]]],
  ];

  test.each(faults)("finds %s", async (_what, fault, expected) => {
    const env = await serverWithFault(fault);
    const token = env.BATON_ADMIN_TOKEN || "x".repeat(20);
    const { code, found, report } = await examine({
      ...env,
      BATON_ADMIN_TOKEN: token,
    });
    expect({ code, found }).toEqual({ code: 1, found: expected });
    for (const { why, remedy } of report.findings)
      expect([why, remedy]).toEqual([
        expect.stringMatching(/\.$/),
        expect.stringMatching(/\.$|[:/\w]$/),
      ]);
  });

  const otherKey = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = (kid: string, key = otherKey.publicKey) =>
    JSON.stringify({ keys: [{ ...key.export({ format: "jwk" }), kid }] });

  test.each<[string, Parameters<typeof changed>[0], Found[]]>([
    [
      "published keys that are not those of the server",
      (path, _, body) => (path.endsWith("jwks.json") ? jwk("other") : body),
      [["jwks", "PRIVATE_KEY"]],
    ],
    [
      "a private key that is published",
      (path, _, body) =>
        path.endsWith("jwks.json") ? jwk("other", otherKey.privateKey) : body,
      [["jwks", undefined]],
    ],
    [
      "the sign-in page of a laptop on a server with an https ISSUER",
      (path, _, body) =>
        path.startsWith("/.well-known/oauth")
          ? body.replaceAll("http://", "https://")
          : body,
      [
        ["issuer", "ISSUER"],
        ["development_sign_in", "/dev/login"],
      ],
    ],
    [
      "a clock that is ten minutes behind",
      (_path, response, body) => {
        response.setHeader(
          "Date",
          new Date(Date.now() - 600_000).toUTCString(),
        );
        return body;
      },
      [["clock", undefined]],
    ],
    [
      "a version that is not that of the checkout",
      (path, _, body) =>
        path === "/health"
          ? JSON.stringify({
              ...(JSON.parse(body) as object),
              version: "0.0.1",
            })
          : body,
      [["version", undefined]],
    ],
    [
      "a host that is not in ALLOWED_HOSTS",
      (_path, response) => {
        response.statusCode = 404;
        return JSON.stringify({ error: "not_found" });
      },
      [["host", "ALLOWED_HOSTS"]],
    ],
  ])("finds %s", async (_what, change, expected) => {
    const { code, found } = await examine(await changed(change));
    expect({ code, found }).toEqual({ code: 1, found: expected });
  });

  test.each([
    ["a time-out", "no answer within 1000 ms", true],
    ["an exception", "the Worker threw an exception", false],
  ])("says what %s of the refresh hook costs", async (_, problem, isLate) => {
    const { report } = await examine(
      await changed((path, _response, body) =>
        path === "/admin/doctor"
          ? JSON.stringify({
              checks: [{ name: "REFRESH_HOOK", duration_ms: 1, problem }],
            })
          : body,
      ),
    );
    const [finding] = report.findings;
    expect(report.findings).toHaveLength(1);
    expect(finding?.problem).toBe(`makes no decision: ${problem}`);
    expect(finding?.why.includes("each after the time-out")).toBe(isLate);
  });

  test("names the command that opens a resource to clients that register themselves", async () => {
    const env = await serverWithFault({
      variables: { DYNAMIC_REGISTRATION: "open" },
    });
    const { report } = await examine(env);
    expect(report.findings).toMatchObject([
      {
        check: "registration",
        subject: "resources",
        remedy: expect.stringContaining(
          "npm run -s baton -- resources put URI --scope SCOPES --self-registered-clients",
        ),
      },
    ]);
  });

  test("compares the secrets in their store with the server's keys, with --secrets", async () => {
    const directory = temporaryProject();
    writeFileSync(
      join(directory, ".dev.vars"),
      "PRIVATE_KEY=x\nENCRYPTION_KEY_2026_12=x\n",
    );
    const { code, stdout } = await run(
      "baton",
      ["doctor", "--secrets", "--json"],
      {
        directory,
        env: {
          BATON_URL: good.server.url,
          BATON_ADMIN_TOKEN: good.server.secrets.ADMIN_TOKEN,
        },
      },
    );
    const { findings } = JSON.parse(stdout) as Report;
    expect([code, findings]).toMatchObject([
      1,
      [
        { check: "secrets", subject: "ADMIN_TOKEN" },
        { check: "secrets", subject: "ENCRYPTION_KEY" },
        { check: "secrets", subject: "ENCRYPTION_KEY_2026_12" },
      ],
    ]);
  });

  test("of what is not Baton, and of what does not answer, is one sentence", async () => {
    const { port } = await stubServer((_, response) => response.end("<h1>"));
    const token = { BATON_ADMIN_TOKEN: "x".repeat(20) };
    const other = await run("baton", ["doctor"], {
      env: { ...token, BATON_URL: `http://localhost:${port}` },
    });
    expect(other).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `http://localhost:${port} responded (HTTP 200), but not like Baton. Check the URL, and whether a rule of the zone blocks this machine.\n`,
    });
    const nobody = await run("baton", ["doctor"], {
      env: { ...token, BATON_URL: "http://localhost:1" },
    });
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toContain("http://localhost:1");
  });
});
