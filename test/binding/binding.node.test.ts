import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import { freshSecrets } from "../../src/cli/local/dev-vars.ts";

/** Baton and a Worker with a service binding to it, side by side in the local runtime. */

const root = join(import.meta.dirname, "../..");
const harness = createTestHarness({
  workers: [
    { configPath: join(import.meta.dirname, "wrangler.toml") },
    {
      configPath: join(root, "wrangler.toml"),
      vars: {
        ISSUER: "https://auth.example.com",
        ALLOWED_HOSTS: "auth.example.com",
      },
      secrets: { ...freshSecrets() },
    },
  ],
});
let caller: URL;

beforeAll(async () => {
  ({ url: caller } = await harness.listen());
});

afterAll(() => harness.close());

describe("a Worker with a service binding", () => {
  it.each([
    "http://baton",
    "https://x",
    "http://auth.example.com",
    "http://localhost",
  ])("may call %s", async (origin) => {
    const health = await fetch(caller, {
      headers: { Call: `${origin}/health` },
    });
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: "ok" },
    ]);
    const token = await fetch(caller, {
      method: "POST",
      headers: { Call: `${origin}/access_token` },
      body: new URLSearchParams({ grant_type: "client_credentials" }),
    });
    expect(token.status).toBe(401);
  });
});
