import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { AgentSite, DOCUMENTS_ON } from "../support/agent-site.ts";
import {
  asParameters,
  assertionOf,
  KeyClient,
  makeKey,
  type Saying,
} from "../support/assertions.ts";
import { makeChain } from "../support/bound-login.ts";
import { makeProofKey } from "../support/dpop.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { proving } from "../support/proving.ts";
import { hookedServer } from "../support/refresh-hook.ts";
import { refusal, server, serverWith, type Tokens } from "../support/server.ts";

/** Attacks on the late holder, on alarms, and on what a stranger may cost. */

beforeAll(() => server.makeScopes("read"));

afterEach(() => {
  vi.restoreAllMocks();
});

const stolenIn = (lines: readonly string[]) =>
  parsedLog(lines).filter(({ event }) => event === "refresh_token.stolen");

/** Makes the form of a refresh, which is sent several times. */
const recordable = async (
  client: KeyClient,
  refresh_token: string,
  saying?: Saying,
) => ({
  grant_type: "refresh_token",
  refresh_token,
  ...(await client.parameters(saying)),
});

describe("somebody with a recorded request of a client that authenticates by a key", () => {
  it("gets no tokens, because neither its token nor its assertion is new", async () => {
    const client = await KeyClient.make({ scope: "read" });
    const { refresh_token } = await client.login();
    const recorded = await recordable(client, refresh_token);
    const holders = await server.token(recorded);
    expect(holders.status).toBe(200);
    const { refresh_token: newest } = await holders.json<Tokens>();
    await client.expectRefresh(newest);
    const replayed = await server.token(recorded);
    expect(replayed.status).not.toBe(200);
  });

  it("does not ask the refresh hook, whose no would end the login", async () => {
    const client = await KeyClient.make({ scope: "read" });
    const { refresh_token } = await client.login();
    const recorded = await recordable(client, refresh_token);
    expect((await server.token(recorded)).status).toBe(200);
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    expect(await refusal(await hooked.token(recorded))).toEqual([
      401,
      "invalid_client",
      "client_assertion_recorded",
    ]);
    expect(questions).toEqual([]);
    await client.expectRefresh(refresh_token);
  });

  it("cannot refresh in the place of the holder", async () => {
    const client = await KeyClient.make({ scope: "read" });
    const { refresh_token } = await client.login();
    const recorded = await client.parameters();
    const send = (token: string) =>
      server.token({
        grant_type: "refresh_token",
        refresh_token: token,
        ...recorded,
      });
    expect((await send(refresh_token)).status).toBe(200);
    const replayed = await send(refresh_token);
    const { refresh_token: newest = "" } =
      await replayed.json<Partial<Tokens>>();
    expect((await send(newest)).status).not.toBe(200);
  });
});

describe("a late holder", () => {
  it("is asked about by the refresh hook, whose refusal counts", async () => {
    const app = await server.makeClient({ token_endpoint_auth_method: "none" });
    const key = await makeProofKey();
    const { tokens } = await makeChain(app, key, { refreshes: 3 });
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const late = await proving(key, hooked).refresh(app, tokens[0]!);
    expect(questions).toHaveLength(1);
    expect(await refusal(late)).toEqual([
      400,
      "invalid_grant",
      "login_denied_by_hook",
    ]);
  });
});

describe("a late holder with an assertion", () => {
  it("cannot pass the refresh hook by with assertions that were made long ago", async () => {
    const client = await KeyClient.make({ scope: "read" });
    const now = Math.floor(Date.now() / 1000);
    const old = { claims: { iat: now - 600, exp: now + 600 } };
    const { refresh_token } = await client.login();
    const first = await client.refresh(refresh_token, old);
    expect(first.status).toBe(200);
    const { hooked, questions } = hookedServer(() => ({ allowed: false }));
    const late = await hooked.token(
      await recordable(client, refresh_token, old),
    );
    expect(late.status).not.toBe(200);
    expect(questions.length + Number(late.status === 401)).toBe(1);
  });
});

describe("an alarm", () => {
  it.each([
    ["without a proof", undefined],
    ["with a malformed proof", "garbage"],
  ])(
    "names the login of a client with dpop_bound_access_tokens, when its token comes %s",
    async (_, proof) => {
      const app = await server.makeClient({
        token_endpoint_auth_method: "none",
        dpop_bound_access_tokens: true,
      });
      const { tokens, grant_id } = await makeChain(app, await makeProofKey());
      const lines = listenToLog();
      const thief = proof === undefined ? server : proving(proof);
      expect((await thief.refresh(app, tokens[0]!)).status).toBe(400);
      expect(stolenIn(lines)).toMatchObject([{ grant_id }]);
    },
  );

  it("names no client whose token it is not", async () => {
    const app = await server.makeClient({ token_endpoint_auth_method: "none" });
    const { tokens } = await makeChain(app, undefined);
    const victim = await KeyClient.make();
    const lines = listenToLog();
    const { client_id } = victim;
    expect((await server.refresh({ client_id }, tokens[0]!)).status).toBe(401);
    expect(stolenIn(lines)).toEqual([]);
  });
});

describe("no alarm", () => {
  it("is raised without client_id, with that of another client, and for use_dpop_nonce, and the login goes on", async () => {
    const makeApp = () =>
      server.makeClient({ token_endpoint_auth_method: "none" });
    const [app, other] = [await makeApp(), await makeApp()];
    const key = await makeProofKey();
    const { tokens } = await makeChain(app, key);
    const stolen = tokens[0]!;
    const lines = listenToLog();
    const nameless = await server.token([
      ["grant_type", "refresh_token"],
      ["refresh_token", stolen],
    ]);
    expect(nameless.status).toBe(401);
    expect(await refusal(await server.refresh(other, stolen))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    const old = proving(key, server, { iat: 1 });
    expect(await refusal(await old.refresh(app, stolen))).toEqual([
      400,
      "use_dpop_nonce",
      "dpop_nonce_missing",
    ]);
    expect(stolenIn(lines)).toEqual([]);
    await proving(key).expectRefresh(app, stolen);
  });
});

describe("an alarm of a client with dpop_bound_access_tokens", () => {
  it("names no client whose token it is not", async () => {
    const app = await server.makeClient({ token_endpoint_auth_method: "none" });
    const { tokens } = await makeChain(app, undefined);
    const { client_id } = await server.makeClient({
      token_endpoint_auth_method: "none",
      dpop_bound_access_tokens: true,
    });
    const lines = listenToLog();
    expect((await server.refresh({ client_id }, tokens[0]!)).status).toBe(400);
    expect(stolenIn(lines)).toEqual([]);
  });
});

describe("a forged token costs no object", () => {
  it.each(["/revoke", "/introspect"])(
    "at %s, also of a client whose document nobody has signed in with",
    async (path) => {
      const key = await makeKey();
      const site = new AgentSite();
      Object.assign(site.document, {
        token_endpoint_auth_method: "private_key_jwt",
        jwks: { keys: [key.jwk] },
      });
      const body = new URLSearchParams({
        token: "forged",
        ...asParameters(await assertionOf(site.client_id, key)),
      });
      const before = await listDurableObjectIds(env.ASSERTION_LEDGER);
      const at = serverWith(DOCUMENTS_ON);
      const response = await at.http(path, { method: "POST", body });
      expect(response.status).toBe(200);
      const after = await listDurableObjectIds(env.ASSERTION_LEDGER);
      expect(after.length).toBe(before.length);
    },
  );
});

describe("tls_client_certificate_bound_access_tokens", () => {
  it("lets no back end start a login with a bearer token", async () => {
    const { client_id } = await server.makeClient({
      token_endpoint_auth_method: "none",
      tls_client_certificate_bound_access_tokens: true,
    });
    const response = await server.admin("POST", "/grants", {
      client_id,
      subject: "alice",
    });
    expect(response.status).toBe(400);
  });
});
