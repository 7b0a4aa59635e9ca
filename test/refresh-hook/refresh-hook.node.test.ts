import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import { freshSecrets } from "../../src/cli/local/dev-vars.ts";
import { parse } from "../support/markdown.ts";

/** Baton and the refresh hook of docs/login.md, as two Workers side by side in the local runtime. */

const root = join(import.meta.dirname, "../..");
const { blocks } = parse(readFileSync(join(root, "docs/login.md"), "utf8"));
const [hook, hookSettings, binding] = blocks
  .filter(
    ({ heading, language }) =>
      heading === "Ask at each refresh" && language !== "sh",
  )
  .map(({ text }) => text);

const folder = mkdtempSync(join(tmpdir(), "baton-refresh-hook-"));
const secrets = freshSecrets();

/** Writes a Worker of the page. @returns the path of its configuration */
function writeWorker(name: string, settings: string): string {
  mkdirSync(join(folder, name));
  const path = join(folder, name, "wrangler.toml");
  writeFileSync(path, settings);
  return path;
}

const hookConfig = writeWorker("hook", hookSettings!);
writeFileSync(join(folder, "hook/index.ts"), hook!);
copyFileSync(join(root, "src/rpc/types.ts"), join(folder, "hook/types.ts"));
const batonSettings = readFileSync(join(root, "wrangler.toml"), "utf8").replace(
  'main = "src/index.ts"',
  `main = "${join(root, "src/index.ts")}"`,
);
const batonConfig = writeWorker("baton", `${batonSettings}\n${binding!}`);

const harness = createTestHarness({
  workers: [
    {
      configPath: batonConfig,
      vars: {
        ISSUER: "https://auth.example.com",
        REFRESH_HOOK_TIMEOUT: "PT10S",
      },
      secrets: { ...secrets },
    },
    { configPath: hookConfig },
  ],
});

let baton: URL;

beforeAll(async () => {
  ({ url: baton } = await harness.listen());
});

afterAll(async () => {
  await harness.close();
  rmSync(folder, { recursive: true });
});

async function admin<T>(
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const response = await fetch(new URL(`/admin${path}`, baton), {
    method,
    headers: {
      Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
      "Content-Type": "application/json",
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** Starts a login of a user. @returns a function that refreshes it with its newest token */
async function login(subject: string) {
  const client = await admin<{ client_id: string; client_secret: string }>(
    "POST",
    "/clients",
    {},
  );
  const { client_id, client_secret } = client;
  const grant = { client_id, subject };
  let tokens = await admin<Tokens>("POST", "/grants", grant);
  return async () => {
    const response = await fetch(new URL("/access_token", baton), {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        refresh_token: tokens.refresh_token,
        client_id,
        client_secret,
      }),
    });
    const answer = (await response.json()) as Tokens & { error?: string };
    if (!response.ok) return answer.error;
    tokens = answer;
    return decodeJwt(answer.access_token)["roles"] ?? "no roles";
  };
}

async function users() {
  const hook = harness.getWorker<{ USERS: KVNamespace }>("my-refresh-hook");
  return (await hook.getEnv()).USERS;
}

describe("the hook of the page", () => {
  it("gives an access token the roles of today, and ends the login when the user is blocked", async () => {
    const refresh = await login("alice");
    const kept = await users();
    expect(await refresh()).toBe("no roles");
    await kept.put("alice", JSON.stringify({ roles: ["editor"] }));
    expect(await refresh()).toEqual(["editor"]);
    await kept.delete("alice");
    expect(await refresh()).toBe("no roles");
    await kept.put("alice", JSON.stringify({ roles: [], blocked: true }));
    expect(await refresh()).toBe("invalid_grant");
  });

  it("does not stop a refresh if it throws, and the roles stay", async () => {
    const refresh = await login("bob");
    const kept = await users();
    await kept.put("bob", JSON.stringify({ roles: ["editor"] }));
    expect(await refresh()).toEqual(["editor"]);
    await kept.put("bob", "not JSON");
    expect(await refresh()).toEqual(["editor"]);
  });

  it("answers the doctor", async () => {
    const { checks } = await admin<{ checks: object[] }>("POST", "/doctor");
    const found = checks.find(
      (check) => "name" in check && check.name === "REFRESH_HOOK",
    );
    expect(found).toEqual({
      name: "REFRESH_HOOK",
      duration_ms: expect.any(Number) as number,
    });
  });
});
