import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { run, stubServer, temporaryProject } from "../support.ts";

/** A remedy names the file whose change has an effect: wrangler reads wrangler.json alone, if there is one. */

const leadHere = join(import.meta.dirname, "../setup/lead-here.ts");

describe.each([
  ["wrangler.json", true],
  ["wrangler.toml", false],
])("where wrangler reads %s", (file, hasSettings) => {
  async function doctor(status: number, body: object) {
    const directory = temporaryProject();
    if (hasSettings) writeFileSync(join(directory, "wrangler.json"), "{}");
    const { port } = await stubServer((_, response) => {
      response.statusCode = status;
      response.end(JSON.stringify(body));
    });
    return run("baton", ["doctor"], {
      directory,
      env: {
        BATON_URL: "https://auth.example.com",
        BATON_ADMIN_TOKEN: "x".repeat(20),
        NODE_OPTIONS: `--import ${pathToFileURL(leadHere).href}`,
        LEAD_HERE: `http://127.0.0.1:${port}`,
      },
    });
  }

  test("doctor says so of a host that is not in ALLOWED_HOSTS", async () => {
    const { code, stdout } = await doctor(404, { error: "not_found" });
    expect(code).toBe(1);
    expect(stdout).toContain(
      `add "auth.example.com" to ALLOWED_HOSTS in ${file}, and`,
    );
  });

  test("doctor says so of a variable, and of a secret that it is one", async () => {
    const problems = ["ACCESS_TOKEN_TTL", "EVENT_WEBHOOK_SECRET"].map(
      (name) => ({ name, problem: "is malformed" }),
    );
    const { stdout } = await doctor(503, { status: "failing", problems });
    expect(stdout).toContain(`Correct ACCESS_TOKEN_TTL in ${file}, and`);
    expect(stdout).toContain("npx wrangler secret put EVENT_WEBHOOK_SECRET");
  });

  test("doctor says that clients need certificates which nothing reads, and that others work", async () => {
    const name = "CLIENT_CERTIFICATES";
    const problems = [{ name, problem: "is not on" }];
    const { stdout } = await doctor(200, { status: "degraded", problems });
    expect(stdout).toContain(`Set ${name} to "on" in ${file}, and`);
    expect(stdout).not.toContain("answers 500");
  });

  test("doctor says so of a variable of dynamic registration, which is not one of its bindings", async () => {
    const names = ["REGISTRATIONS_PER_DAY", "REGISTRATION_IDLE_TTL"];
    const problems = names.map((name) => ({ name, problem: "is malformed" }));
    const { stdout } = await doctor(503, { status: "failing", problems });
    for (const name of names)
      expect(stdout).toContain(`Correct ${name} in ${file}, and`);
  });
});

test("on this machine, a remedy names .dev.vars if the variable is there, and no command that deploys", async () => {
  const directory = temporaryProject();
  writeFileSync(
    join(directory, ".dev.vars"),
    "CLIENT_CERTIFICATES=of\nMTLS_ENDPOINT_ORIGIN=http://a.example\n",
  );
  const names = [
    "CLIENT_CERTIFICATES",
    "MTLS_ENDPOINT_ORIGIN",
    "DPOP_NONCE_REQUIRED",
    "EVENT_WEBHOOK_SECRET",
    "ENCRYPTION_KEY",
  ];
  const problems = names.map((name) => ({ name, problem: "is malformed" }));
  const doctor = async (status: string) => {
    const { port } = await stubServer((_, response) => {
      response.statusCode = status === "failing" ? 503 : 200;
      response.end(JSON.stringify({ status, problems }));
    });
    const { stdout } = await run("baton", ["doctor"], {
      directory,
      env: {
        BATON_URL: `http://localhost:${port}`,
        BATON_ADMIN_TOKEN: "x".repeat(20),
      },
    });
    return stdout;
  };
  const shown = await doctor("failing");
  for (const remedy of [
    "CLIENT_CERTIFICATES in .dev.vars, and start the server again.",
    "MTLS_ENDPOINT_ORIGIN in .dev.vars, and start the server again.",
    "DPOP_NONCE_REQUIRED in wrangler.toml, and start the server again.",
    "EVENT_WEBHOOK_SECRET in .dev.vars, and start the server again.",
    "ENCRYPTION_KEY in .dev.vars. Without the line, `npm run dev` writes",
  ])
    expect(shown).toContain(`Correct ${remedy}`);
  expect(shown).not.toContain("deploy");
  expect(await doctor("degraded")).toContain(
    'Set CLIENT_CERTIFICATES to "on" in .dev.vars, and start the server again;',
  );
});
