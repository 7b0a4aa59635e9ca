import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type AdminToken,
  askWith,
  makeToken,
} from "../support/administrators.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { agent, postRegistration } from "../support/registration.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** DYNAMIC_REGISTRATION=token: only who has an initial access token may register a client (RFC 7591 section 3). */

const guarded = serverWith({ DYNAMIC_REGISTRATION: "token" });

const otherRoles = ["operator", "login", "read"];

let initial: AdminToken;
let others: AdminToken[];

// At the beginning, because a server reads the tokens again at most once per second.
beforeAll(async () => {
  initial = await makeToken("register");
  others = await Promise.all(otherRoles.map((role) => makeToken(role)));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function registerWith(token: string, to = guarded) {
  return postRegistration(to, agent, { Authorization: `Bearer ${token}` });
}

describe("a registration", () => {
  it("without an initial access token is refused", async () => {
    const response = await postRegistration(guarded, agent);
    expect(response.headers.get("WWW-Authenticate")).toBe(
      'Bearer realm="baton/register"',
    );
    expect(await refusal(response)).toEqual([
      401,
      "invalid_token",
      "initial_access_token_missing",
    ]);
  });

  it("with a wrong, deleted or expired one is refused", async () => {
    const deleted = await makeToken("register");
    await server.expectAdmin("DELETE", `/tokens/${deleted.name}`);
    const short = await makeToken("register", { expires_in: "PT1S" });
    // A server of its own, because this one reads the tokens in the future.
    const later = serverWith({ DYNAMIC_REGISTRATION: "token" });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
    for (const token of ["baton_admin_wrong", deleted.token, short.token]) {
      const response = await registerWith(token, later);
      expect(response.headers.get("WWW-Authenticate")).toBe(
        'Bearer realm="baton/register", error="invalid_token"',
      );
      expect(await refusal(response)).toEqual([
        401,
        "invalid_token",
        "initial_access_token_wrong",
      ]);
    }
  });

  it("with a token of another role is refused", async () => {
    for (const { token } of others) {
      const response = await registerWith(token);
      expect(response.headers.get("WWW-Authenticate")).toBe(
        'Bearer realm="baton/register", error="insufficient_scope", scope="register"',
      );
      expect(await refusal(response)).toEqual([
        403,
        "insufficient_scope",
        "admin_role_insufficient",
      ]);
    }
  });

  it("with an initial access token succeeds, and the log names the token", async () => {
    const log = listenToLog();
    expect((await registerWith(initial.token)).status).toBe(201);
    const actor = `token:${initial.name}`;
    expect(parsedLog(log)).toContainEqual(
      expect.objectContaining({ event: "client.registered", actor }),
    );
    expect(log.join()).not.toContain(initial.token);
    expect((await registerWith(env.ADMIN_TOKEN)).status).toBe(201);
  });

  it("needs none where registration is open", async () => {
    const open = serverWith({ DYNAMIC_REGISTRATION: "open" });
    expect((await postRegistration(open, agent)).status).toBe(201);
  });
});

describe("an initial access token", () => {
  it("opens nothing of the admin API", async () => {
    const { paths } = await server.expectAdmin<{
      paths: Record<string, Record<string, object>>;
    }>("GET", "/openapi.json");
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [
        method.toUpperCase(),
        path.replace("/admin", "").replaceAll(/\{\w+\}/g, "%00"),
      ]),
    );
    operations.push(["GET", "/openapi.json"], ["GET", "/nothing"]);
    expect(operations.length).toBeGreaterThan(20);
    for (const [method = "", path = ""] of operations) {
      const response = await askWith(server, initial.token, method, path);
      expect(await refusal(response), `${method} ${path}`).toEqual([
        403,
        "insufficient_scope",
        "admin_role_insufficient",
      ]);
    }
  });

  it("shows nothing of /health, and is not a registration access token", async () => {
    const health = await guarded.wholeHealth(initial.token);
    expect(await health.json()).toEqual({ status: "ok" });
    const made = await registerWith(initial.token);
    const { client_id } = await made.json<{ client_id: string }>();
    const response = await guarded.http(`/register/${client_id}`, {
      headers: { Authorization: `Bearer ${initial.token}` },
    });
    expect(await refusal(response)).toEqual([
      401,
      "invalid_token",
      "registration_token_wrong",
    ]);
  });
});
