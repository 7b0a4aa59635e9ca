import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { KeyClient } from "../support/assertions.ts";
import { makeChain, rowsWritten } from "../support/bound-login.ts";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { familiesWith, fault } from "../support/faults.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { grantOf, proving } from "../support/proving.ts";
import { hookedServer } from "../support/refresh-hook.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Tests holders of a key that come late with a used token: they get the one current token, for as long as they may. */

let app: { client_id: string };
let key: ProofKey;

const token_endpoint_auth_method = "none";
const reused = [400, "invalid_grant", "refresh_token_reused"];
const ended = [400, "invalid_grant", "family_ended"];

beforeAll(async () => {
  await server.makeScopes("read", "write");
  app = await makeApp();
  key = await makeProofKey();
});

function makeApp(metadata: Record<string, unknown> = {}) {
  const scope = "read write";
  return server.makeClient({ scope, token_endpoint_auth_method, ...metadata });
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Stops the clock. @returns what sets it to so many seconds later */
function stopClock() {
  const now = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now });
  return (seconds: number) => vi.setSystemTime(now + seconds * 1000);
}

describe("a used token with a proof of the login's key", () => {
  it("leads to the current token from every generation, is an event, and writes nothing", async () => {
    const chain = await makeChain(app, key, { refreshes: 4 });
    const { tokens, subject, grant_id, newest } = chain;
    const rows = await rowsWritten(chain);
    const lines = listenToLog();
    for (const token of tokens.slice(0, -1)) {
      const answer = await proving(key).expectRefresh(app, token);
      expect(answer.refresh_token).toBe(newest.refresh_token);
      expect(answer.access_token).not.toBe(newest.access_token);
      expect(answer.token_type).toBe("DPoP");
      expect(decodeJwt(answer.access_token).cnf).toEqual({ jkt: key.jkt });
    }
    expect(await rowsWritten(chain)).toBe(rows);
    const log = parsedLog(lines);
    const events = log.filter(
      ({ event }) => event === "refresh_token.caught_up",
    );
    expect(events.map(({ generation }) => generation)).toEqual([1, 2, 3, 4]);
    for (const event of events)
      expect(event).toMatchObject({
        client_id: app.client_id,
        subject,
        grant_id,
        newest_generation: 5,
        network_differs: false,
        user_agent_differs: false,
        seconds_since_exchange: expect.any(Number),
      });
    const requests = log.filter(({ event }) => event === "request");
    for (const line of requests)
      expect(line).toMatchObject({
        outcome: "ok",
        retried: true,
        caught_up: true,
      });
    // The chain goes on from the current token, and the processes can take turns.
    const next = await proving(key).expectRefresh(app, newest.refresh_token);
    expect(await grantOf(next)).toMatchObject({ generation: 6 });
  });

  it("is a retry and no catch-up inside the retry window, and only for the newest used one", async () => {
    const patient = await makeApp({ refresh_token_retry_window: "PT1M" });
    const { tokens } = await makeChain(patient, key, { refreshes: 2 });
    const lines = listenToLog();
    for (const token of [tokens[1]!, tokens[0]!])
      await proving(key).expectRefresh(patient, token);
    const events = parsedLog(lines).map(({ event }) => event);
    expect(events.filter((event) => event !== "request")).toEqual([
      "refresh_token.retried",
      "refresh_token.caught_up",
    ]);
  });

  it("leads to the current token until the client's refresh_token_catch_up has passed since the newest exchange, and ends the login from then on", async () => {
    const client = await makeApp({ refresh_token_catch_up: "PT1H" });
    const setClock = stopClock();
    const { tokens } = await makeChain(client, key, { refreshes: 2 });
    const of = proving(key);
    setClock(3599);
    const answer = await of.expectRefresh(client, tokens[0]!);
    expect(answer.refresh_token).toBe(tokens[2]);
    // A late holder does not make the time longer for another one.
    setClock(3600);
    const lines = listenToLog();
    expect(await refusal(await of.refresh(client, tokens[0]!))).toEqual(reused);
    expect(await refusal(await of.refresh(client, tokens[2]!))).toEqual(ended);
    const events = parsedLog(lines).filter(({ event }) => event !== "request");
    expect(events).toMatchObject([{ event: "refresh_token.reused" }]);
  });

  it("ends the login at once if the record of the client says PT0S", async () => {
    const client = await makeApp({ refresh_token_catch_up: "PT0S" });
    const { tokens } = await makeChain(client, key, { refreshes: 1 });
    const of = proving(key);
    expect(await refusal(await of.refresh(client, tokens[0]!))).toEqual(reused);
    expect(await refusal(await of.refresh(client, tokens[1]!))).toEqual(ended);
  });

  it("is good as long as a refresh token lasts if the record says nothing, and never longer than its own life", async () => {
    const client = await makeApp({ refresh_token_ttl: "P30D" });
    const setClock = stopClock();
    const { tokens } = await makeChain(client, key, { refreshes: 1 });
    const of = proving(key);
    setClock(20 * 86_400);
    const { refresh_token } = await of.expectRefresh(client, tokens[1]!);
    setClock(30 * 86_400 - 1);
    const late = await of.expectRefresh(client, tokens[0]!);
    expect(late.refresh_token).toBe(refresh_token);
    setClock(30 * 86_400);
    expect(await refusal(await of.refresh(client, tokens[0]!))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_expired",
    ]);
    await of.expectRefresh(client, refresh_token);
  });

  it("gets an access token for what the request asks for, and is refused for a scope that was not granted, like an unused one", async () => {
    const chain = await makeChain(app, key, { refreshes: 2 });
    const of = proving(key);
    const [first = "", , current] = chain.tokens;
    const narrow = await of.expectRefresh(app, first, { scope: "read" });
    expect(narrow).toMatchObject({ scope: "read", refresh_token: current });
    const rows = await rowsWritten(chain);
    for (const token of [first, current!])
      expect(
        await refusal(await of.refresh(app, token, { scope: "admin" })),
      ).toEqual([400, "invalid_scope", "scope_not_granted"]);
    expect(await rowsWritten(chain)).toBe(rows);
    const whole = await of.expectRefresh(app, first);
    expect(whole).toMatchObject({ scope: "read write" });
  });

  it("gets what an administrator has changed about the user since, and the login stays bound", async () => {
    const { tokens, grant_id } = await makeChain(app, key, { refreshes: 1 });
    const claims = { roles: ["editor"] };
    await server.expectAdmin("PATCH", `/grants/${grant_id}`, { claims });
    const answer = await proving(key).expectRefresh(app, tokens[0]!);
    expect(decodeJwt(answer.access_token)).toMatchObject({
      roles: ["editor"],
      cnf: { jkt: key.jkt },
    });
    expect(await refusal(await server.refresh(app, tokens[0]!))).toEqual([
      400,
      "invalid_dpop_proof",
      "refresh_token_proof_missing",
    ]);
  });
});

describe("the refresh hook", () => {
  it("is asked about a late holder, whose login it may end, or a client that always sends a used token would go on without it", async () => {
    let allowed = true;
    const { hooked, questions } = hookedServer(() => ({ allowed }));
    const { tokens } = await makeChain(app, key, { refreshes: 2 });
    const late = () => proving(key, hooked).refresh(app, tokens[0]!);
    expect((await late()).status).toBe(200);
    expect(questions).toHaveLength(1);
    allowed = false;
    expect(await refusal(await late())).toEqual([
      400,
      "invalid_grant",
      "login_denied_by_hook",
    ]);
    expect(await refusal(await proving(key).refresh(app, tokens[2]!))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });
});

describe("several processes with one key", () => {
  it("live on one chain: 50 refreshes at once, with the current and with used tokens, make one generation and get one token", async () => {
    const { tokens } = await makeChain(app, key, { refreshes: 3 });
    const of = proving(key);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, position) =>
        of.expectRefresh(app, tokens[position % 4]!),
      ),
    );
    const successors = new Set(answers.map((answer) => answer.refresh_token));
    const made = [...successors].filter((token) => !tokens.includes(token));
    // A used token that arrives before the current one still leads to that.
    expect(made).toHaveLength(1);
    expect([...successors].filter((token) => !made.includes(token))).toEqual(
      successors.has(tokens[3]!) ? [tokens[3]] : [],
    );
    const [current = ""] = made;
    const next = await of.expectRefresh(app, current);
    expect(await grantOf(next)).toMatchObject({ generation: 6 });
  });

  it("go on after the answer of an exchange was lost behind the store, which a strict client without a key does not survive", async () => {
    let isBroken = true;
    const TOKEN_FAMILY = familiesWith((_, real) => ({
      // The exchange is stored. Its answer never arrives, however often the edge asks.
      async exchange(...args: never[]) {
        const answer = await real().exchange(...(args as unknown as [never]));
        return isBroken ? fault("the connection is lost") : answer;
      },
    }));
    const broken = serverWith({ TOKEN_FAMILY });
    const { tokens } = await makeChain(app, key);
    const of = proving(key, broken);
    expect((await of.refresh(app, tokens[0]!)).status).toBe(503);
    isBroken = false;
    const answer = await of.expectRefresh(app, tokens[0]!);
    expect(await grantOf(answer)).toMatchObject({ generation: 2 });
    await of.expectRefresh(app, answer.refresh_token);

    const bearer = await makeChain(app, undefined);
    isBroken = true;
    expect((await broken.refresh(app, bearer.tokens[0]!)).status).toBe(503);
    isBroken = false;
    expect(await refusal(await broken.refresh(app, bearer.tokens[0]!))).toEqual(
      reused,
    );
  });
});

describe("who may be late by default, and with refresh_token_catch_up in the record", () => {
  /** Refreshes twice with the first token. @returns the reason of the second refusal; undefined: the current token */
  async function sendTwice(
    refresh: (token: string) => Promise<Response>,
    first: string,
  ) {
    const once = await refresh(first);
    const { refresh_token } = await once.json<{ refresh_token: string }>();
    const twice = await refresh(first);
    if (twice.status !== 200) return (await refusal(twice))[2];
    const answer = await twice.json<{ refresh_token: string }>();
    expect(answer.refresh_token).toBe(refresh_token);
    return undefined;
  }

  it.each([
    ["private_key_jwt by default", {}, undefined],
    [
      "private_key_jwt not at all",
      { refresh_token_catch_up: "PT0S" },
      "refresh_token_reused",
    ],
  ])("%s", async (_, metadata, expected) => {
    const client = await KeyClient.make(metadata);
    const { refresh_token } = await client.login();
    const refresh = (token: string) => client.refresh(token);
    expect(await sendTwice(refresh, refresh_token)).toBe(expected);
  });

  it.each([
    ["a secret by default not", {}, "refresh_token_reused"],
    ["a secret with the record", { refresh_token_catch_up: "PT1H" }, undefined],
    [
      "no authentication and no key never",
      { token_endpoint_auth_method, refresh_token_catch_up: "PT1H" },
      "refresh_token_reused",
    ],
  ])("%s", async (_, metadata, expected) => {
    const client = await server.makeClient(metadata);
    const { refresh_token } = await server.login(client);
    const refresh = (token: string) => server.refresh(client, token);
    expect(await sendTwice(refresh, refresh_token)).toBe(expected);
  });

  it("a login stays bound when its client gets a secret, and a secret alone is no proof of the key", async () => {
    const client = await makeApp();
    const { tokens } = await makeChain(client, key, { refreshes: 1 });
    await server.expectAdmin("PATCH", `/clients/${client.client_id}`, {
      token_endpoint_auth_method: "client_secret_post",
    });
    const { client_secret } = await server.expectAdmin<{
      client_secret: string;
    }>("POST", `/clients/${client.client_id}/secrets`, {});
    const confidential = { ...client, client_secret };
    expect(
      await refusal(await server.refresh(confidential, tokens[1]!)),
    ).toEqual([400, "invalid_dpop_proof", "refresh_token_proof_missing"]);
    const of = proving(key);
    for (const token of tokens)
      expect((await of.refresh(confidential, token)).status).toBe(200);
  });
});
