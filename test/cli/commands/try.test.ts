import type { IncomingMessage, ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { batonWithServer, run, start, stubServer } from "../support.ts";

const baton = batonWithServer();

/** A server in front of the real one. `answer` may answer a request in its place. */
async function proxy(
  answer: (path: string) => object | undefined,
): Promise<NodeJS.Dict<string>> {
  const { port } = await stubServer((request, response) => {
    const path = request.url ?? "";
    const own = answer(path);
    if (own) response.end(JSON.stringify(own));
    else void passOn(request, response);
  });
  return {
    BATON_URL: `http://localhost:${port}`,
    BATON_ADMIN_TOKEN: baton.server.secrets.ADMIN_TOKEN,
  };
}

async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await buffer(request);
  const { "content-type": type, authorization } = request.headers;
  const answer = await fetch(`${baton.server.url}${request.url}`, {
    method: request.method ?? "GET",
    headers: {
      ...(type && { "Content-Type": type }),
      ...(authorization && { Authorization: authorization }),
    },
    ...(body.length > 0 && { body: new Uint8Array(body) }),
    redirect: "manual",
  });
  const location = answer.headers.get("Location");
  response.writeHead(answer.status, location ? { location } : {});
  response.end(await answer.text());
}

/** The clients and scopes of the server. A try must leave none. */
async function left() {
  const { clients } = (await baton.json("clients", "list")) as {
    clients: object[];
  };
  const { scopes } = (await baton.json("scopes", "list")) as {
    scopes: object[];
  };
  return { clients, scopes };
}

const nothing = { clients: [], scopes: [] };

describe("baton try", () => {
  test("passes against a good server, shows no token, and leaves nothing", async () => {
    const { code, stdout, stderr } = await baton.run("try");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("→ GET /authorize");
    expect(stdout).toContain("✓ signature, typ and iss");
    expect(stdout).toMatch(
      /\nAll 10 steps passed\. What the test had made is deleted\. The record of its client stays among the deleted ones for 30 days\.\n$/,
    );
    expect(stdout).not.toMatch(/baton_(?:rt|cs)_\S{20}|eyJ\S{20}/);
    expect(await left()).toEqual(nothing);
  });

  test("gives the steps as JSON", async () => {
    expect(await baton.json("try")).toEqual({
      server: baton.server.url,
      passed: true,
      steps: expect.arrayContaining([
        {
          title: "Ask the server about the access token",
          checks: ["it is active"],
          duration_ms: expect.any(Number),
        },
      ]),
      left_behind: [],
    });
  });

  test("names the step that fails, and deletes what it has made", async () => {
    const env = await proxy((path) =>
      path === "/introspect" ? { active: false } : undefined,
    );
    const { code, stderr } = await run("baton", ["try"], { env });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        "Step 7 (Ask the server about the access token) failed: this is not true: it is active. What the test had made was deleted.\n",
    });
    expect(await left()).toEqual(nothing);
    const json = await run("baton", ["try", "--json"], { env });
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([
      1,
      {
        passed: false,
        failure: expect.stringContaining("Step 7"),
        left_behind: [],
      },
    ]);
  });

  test("does not claim that something is left over which it was not allowed to make", async () => {
    for (const [role, message] of [
      ["operator", /^Step 3 [^]* What the test had made was deleted\.\n$/],
      ["read", /^Step 2 [^]* The test had made nothing\.\n$/],
    ] as const) {
      const { token } = (await baton.json(
        ["admin-tokens", "create", role],
        ["--role", role],
      )) as { token: string };
      const { code, stderr } = await run("baton", ["try"], {
        env: { BATON_URL: baton.server.url, BATON_ADMIN_TOKEN: token },
      });
      expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
      expect(stderr).toContain("status 403");
    }
    expect(await left()).toEqual(nothing);
  });

  test("deletes what it has made when it is interrupted", async () => {
    let reached: (() => void) | undefined;
    const signInReached = new Promise<void>((resolve) => (reached = resolve));
    const env = await proxy((path) => {
      if (path === "/access_token") reached?.();
      return undefined;
    });
    const trying = start("baton", ["try"], { env });
    await signInReached;
    trying.child.kill("SIGINT");
    const { code, stderr } = await trying.outcome();
    expect(code).toBe(1);
    expect(stderr).toContain("failed: Interrupted by SIGINT.");
    expect(await left()).toEqual(nothing);
  });

  test("says what could not be deleted", async () => {
    const env = await proxy((path) =>
      path.startsWith("/admin/scopes/") ? { scope: "x" } : undefined,
    );
    const { code, stderr } = await run("baton", ["try"], { env });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^Step 3 \(Create a client for this test\) failed: the response has status 400 instead of 201: invalid_request: .* These could not be deleted: scope baton-try-[0-9a-f]{16}\. Delete them with/,
    );
  });

  test("of an unreachable server is one sentence with the address", async () => {
    const env = {
      BATON_URL: "http://localhost:1",
      BATON_ADMIN_TOKEN: "x".repeat(20),
    };
    const { code, stderr } = await run("baton", ["try"], { env });
    expect(code).toBe(1);
    expect(stderr).toContain("http://localhost:1");
  });
});
