import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { wranglerScript } from "../../src/cli/local/wrangler.ts";
import { parse } from "../support/markdown.ts";
import type { Tokens } from "../support/server.ts";
import { listen } from "./live/listen.ts";
import { admin, ISSUER, login, makeClient } from "./live/server.ts";

/** Runs the store of docs/agents.md in several real processes, which share one login. */

interface Esbuild {
  transform: (source: string, options: object) => Promise<{ code: string }>;
}

const root = join(import.meta.dirname, "../..");

/** The module of the page. */
function onPage(): string {
  const page = parse(readFileSync(join(root, "docs/agents.md"), "utf8"));
  const [block, ...others] = page.blocks.filter(
    ({ heading, language }) =>
      heading === "One store for all processes" && language === "ts",
  );
  if (!block || others.length > 0)
    throw new Error("docs/agents.md has not exactly one store");
  return block.text;
}

/** Replaces a text that the reader would change. */
function put(source: string, from: string, to: string): string {
  if (!source.includes(from)) throw new Error(`the store has no ${from}`);
  return source.replace(from, to);
}

/** An agent. It gets so many access tokens, as if the MCP server had refused each, and prints the last. */
const agentSource = `
import { accessToken, SignInNeeded } from "./store.mjs";
try {
  let token = await accessToken();
  for (let count = 0; count < Number(process.argv[2]); count++)
    token = await accessToken(token);
  console.log(token);
} catch (error) {
  if (!(error instanceof SignInNeeded)) throw error;
  console.log("sign in");
}
`;

/** How the token endpoint of a test answers a request, after Baton has answered it. */
type Answering = (answer: Response) => Promise<Response | "none">;

/** Signs a user in, and gives the login to a store that processes share. */
async function startLogin({
  window,
  answering = async (answer) => answer,
}: {
  window: string;
  answering?: Answering;
}) {
  const { client_id } = await makeClient({
    token_endpoint_auth_method: "none",
    refresh_token_retry_window: window,
  });
  const statuses: number[] = [];
  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const made = await fetch(`${ISSUER}/access_token`, {
      method: "POST",
      headers: { "Content-Type": request.headers["content-type"] ?? "" },
      body: await text(request),
    });
    statuses.push(made.status);
    const sent = await answering(made);
    if (sent === "none") {
      response.destroy();
      return;
    }
    response.writeHead(sent.status, { "Content-Type": "application/json" });
    response.end(await sent.text());
  };
  const relay = await listen((request, response) => {
    void answer(request, response);
  });
  const folder = mkdtempSync(join(tmpdir(), "baton-agent-"));
  onTestFinished(async () => {
    await relay.stop();
    rmSync(folder, { recursive: true });
  });
  let source = put(onPage(), "http://localhost:8787", relay.url);
  source = put(source, '"my-agent"', JSON.stringify(client_id));
  source = put(source, 'join(homedir(), ".my-agent")', JSON.stringify(folder));
  const esbuild = createRequire(wranglerScript)("esbuild") as Esbuild;
  const { code } = await esbuild.transform(source, { loader: "ts" });
  writeFileSync(join(folder, "store.mjs"), code);
  writeFileSync(join(folder, "agent.mjs"), agentSource);
  const store = (await import(join(folder, "store.mjs"))) as {
    keep: (tokens: Tokens) => Promise<void>;
  };
  const subject = `agent-${crypto.randomUUID()}`;
  await store.keep(await login({ client_id }, { subject }));

  /** Starts an agent that refreshes so many times. */
  const start = (refreshes: number) => {
    const args = [join(folder, "agent.mjs"), String(refreshes)];
    const child = spawn(process.execPath, args);
    const ended = Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit"),
    ]).then(([stdout, stderr]) => ({ stdout: stdout.trim(), stderr }));
    return { child, ended };
  };
  const claims = () =>
    readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.\d+$/.test(name));
  /** The user's living logins. */
  const logins = async () => {
    const path = `/subjects/${subject}/grants`;
    const { grants } = await admin<{ grants: object[] }>("GET", path);
    return grants.length;
  };
  return { client_id, subject, folder, store, start, statuses, claims, logins };
}

/** Makes something that happens once, and can be waited for. */
function event() {
  let resolve = () => {};
  const promise = new Promise<void>((resolved) => (resolve = resolved));
  return { promise, resolve };
}

const isJwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

describe("the store of docs/agents.md", () => {
  it("keeps a strict client signed in, in five processes that refresh at once", async () => {
    const shared = await startLogin({ window: "PT0S" });
    const agents = Array.from({ length: 5 }, () => shared.start(4).ended);
    for (const { stdout, stderr } of await Promise.all(agents)) {
      expect(stderr).toBe("");
      expect(stdout).toMatch(isJwt);
    }
    // A process goes on with the tokens that another has stored, so there are fewer refreshes than asked for.
    expect(new Set(shared.statuses)).toEqual(new Set([200]));
    expect(shared.statuses.length).toBeGreaterThanOrEqual(4);
    expect(shared.statuses.length).toBeLessThanOrEqual(20);
    expect(await shared.logins()).toBe(1);
    expect(shared.claims()).toEqual([]);
  });

  it("goes on after an answer was lost, if the client has a window", async () => {
    let isLost = false;
    const shared = await startLogin({
      window: "PT1M",
      answering: async (answer) => {
        if (isLost) return answer;
        isLost = true;
        return "none";
      },
    });
    const first = await shared.start(1).ended;
    expect(first.stdout).toBe("");
    expect(first.stderr).toContain("fetch failed");
    const second = await shared.start(1).ended;
    expect(second).toEqual({
      stdout: expect.stringMatching(isJwt),
      stderr: "",
    });
    expect(shared.statuses).toEqual([200, 200]);
  });

  it("asks for a sign-in after an answer was lost, if the client is strict, and says why", async () => {
    let isLost = false;
    const shared = await startLogin({
      window: "PT0S",
      answering: async (answer) => {
        if (isLost) return answer;
        isLost = true;
        return "none";
      },
    });
    await shared.start(1).ended;
    const second = await shared.start(1).ended;
    expect(second.stdout).toBe("sign in");
    expect(second.stderr).toContain("its successor was not");
    expect(shared.statuses).toEqual([200, 400]);
    // The others are told at once, and send nothing.
    expect((await shared.start(1).ended).stdout).toBe("sign in");
    expect(shared.statuses).toHaveLength(2);
  });

  it("takes over from a process that was killed before it stored the answer", async () => {
    const arrived = event();
    let isHanging = true;
    const shared = await startLogin({
      window: "PT1M",
      answering: async (answer) => {
        if (!isHanging) return answer;
        arrived.resolve();
        return new Promise(() => {});
      },
    });
    const dead = shared.start(1);
    await arrived.promise;
    dead.child.kill("SIGKILL");
    await dead.ended;
    const [claim, ...others] = shared.claims();
    expect(others).toEqual([]);
    const longAgo = Date.now() / 1000 - 31;
    utimesSync(join(shared.folder, claim!), longAgo, longAgo);
    isHanging = false;
    const next = await shared.start(1).ended;
    expect(next).toEqual({ stdout: expect.stringMatching(isJwt), stderr: "" });
    expect(shared.statuses).toEqual([200, 200]);
    expect(await shared.logins()).toBe(1);
  });

  it("does not delete the login that a new sign-in has stored in the meantime", async () => {
    const arrived = event();
    const stored = event();
    const shared = await startLogin({
      window: "PT0S",
      answering: async (answer) => {
        arrived.resolve();
        await stored.promise;
        return answer;
      },
    });
    const { client_id, subject } = shared;
    await admin("DELETE", `/subjects/${subject}/grants`);
    const agent = shared.start(1);
    await arrived.promise;
    const fresh = await login({ client_id }, { subject });
    await shared.store.keep(fresh);
    stored.resolve();
    const { stdout, stderr } = await agent.ended;
    expect(stdout).toBe(fresh.access_token);
    expect(stderr).toContain("has ended");
    expect(shared.statuses).toEqual([400]);
  });
});
