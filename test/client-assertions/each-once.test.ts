import { env } from "cloudflare:workers";
import * as openid from "openid-client";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import { KeyClient, makeKey } from "../support/assertions.ts";
import { makeWebClient, obtainCode, redeem } from "../support/authorization.ts";
import { makeChain, rowsWritten } from "../support/bound-login.ts";
import { countCrypto, countingBindings } from "../support/counting.ts";
import { fault } from "../support/faults.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { makeDocumentClient } from "../support/self-registered.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type Tokens,
} from "../support/server.ts";

/** A client whose record makes each of its assertions good for one request: `single_use_client_assertions`. */

const used = [401, "invalid_client", "client_assertion_used"];
const eachOnce = { single_use_client_assertions: true };
const grant_types = ["client_credentials", "refresh_token"];

let client: KeyClient;
let lines: string[];

beforeAll(async () => {
  client = await KeyClient.make({ ...eachOnce, grant_types });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const stolen = () =>
  parsedLog(lines).filter(({ event }) => event === "refresh_token.stolen");

/** Makes the form of a refresh, to send as often as wanted. */
async function refreshForm(
  refresh_token: string,
  parameters?: Record<string, string>,
) {
  return {
    grant_type: "refresh_token",
    refresh_token,
    ...(parameters ?? (await client.parameters())),
  };
}

async function tokensOf(response: Response): Promise<Tokens> {
  expect(response.status).toBe(200);
  return response.json<Tokens>();
}

describe("an assertion of a client with single_use_client_assertions", () => {
  it("that a refresh has had gets nothing with a used token of another login, and is an alarm that names it", async () => {
    const [one, other] = [
      await makeChain(client, undefined),
      await makeChain(client, undefined),
    ];
    const [token = ""] = one.tokens;
    const newest = await client.expectRefresh(token);
    const recorded = await client.parameters();
    await tokensOf(
      await server.token(await refreshForm(other.tokens[0] ?? "", recorded)),
    );
    const rows = await rowsWritten(one);
    lines = listenToLog();
    const theft = await server.token(await refreshForm(token, recorded));
    expect(await refusal(theft)).toEqual(used);
    expect(stolen()).toMatchObject([
      {
        client_id: client.client_id,
        subject: one.subject,
        grant_id: one.grant_id,
        reason: "recorded_assertion",
        generation: 1,
      },
    ]);
    expect(await rowsWritten(one)).toBe(rows);
    expect(await client.expectRefresh(token)).toBe(newest);
  });

  it("gets nothing with a refresh token that nobody has used, which stays good", async () => {
    const { refresh_token } = await client.login();
    const recorded = await client.parameters();
    await tokensOf(
      await server.token({ grant_type: "client_credentials", ...recorded }),
    );
    const form = await refreshForm(refresh_token, recorded);
    expect(await refusal(await server.token(form))).toEqual(used);
    await client.expectRefresh(refresh_token);
  });

  it("gets nothing inside a retry window, in which the client itself is answered", async () => {
    const own = await KeyClient.make({
      ...eachOnce,
      refresh_token_retry_window: "PT30S",
    });
    const { refresh_token } = await own.login();
    const form = await refreshForm(refresh_token, await own.parameters());
    const { refresh_token: next } = await tokensOf(await server.token(form));
    expect(await refusal(await server.token(form))).toEqual(used);
    expect(await own.expectRefresh(refresh_token)).toBe(next);
  });

  it("that came with a request which was refused gets nothing", async () => {
    const [chain, { refresh_token }] = [
      await makeChain(client, undefined),
      await client.login(),
    ];
    const unknown = { grant_type: "refresh_token", refresh_token: "x" };
    const refused: [Record<string, string>, Record<string, string>?][] = [
      [unknown],
      [unknown, { DPoP: "x" }],
      [{ grant_type: "refresh_token", refresh_token, scope: "other" }],
      [{ grant_type: "client_credentials", scope: "other" }],
      [{ grant_type: "authorization_code", code: "x" }],
    ];
    const [token = ""] = chain.tokens;
    for (const [form, headers] of refused) {
      const recorded = await client.parameters();
      const answer = await server.token({ ...form, ...recorded }, headers);
      expect(answer.status).toBe(400);
      const theft = await server.token(await refreshForm(token, recorded));
      expect(await refusal(theft)).toEqual(used);
    }
    await client.expectRefresh(token);
    await client.expectRefresh(refresh_token);
  });

  it.each(["/revoke", "/introspect"])(
    "that came to %s with a token of nobody gets nothing",
    async (path) => {
      const { refresh_token } = await client.login();
      const recorded = await client.parameters();
      const body = new URLSearchParams({ token: "x", ...recorded });
      const answer = await server.http(path, { method: "POST", body });
      expect(answer.status).toBe(200);
      const theft = await server.token(
        await refreshForm(refresh_token, recorded),
      );
      expect(await refusal(theft)).toEqual(used);
      await client.expectRefresh(refresh_token);
    },
  );

  it("that redeemed a code gets nothing", async () => {
    const key = await makeKey();
    const { client_id } = await makeWebClient({
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [key.jwk] },
      ...eachOnce,
    });
    const site = new KeyClient(client_id, key, server);
    const recorded = await site.parameters();
    const code = await obtainCode(site);
    const first = await tokensOf(await redeem({ client_id }, code, recorded));
    const other = await site.login();
    const form = await refreshForm(other.refresh_token, recorded);
    expect(await refusal(await server.token(form))).toEqual(used);
    for (const { refresh_token } of [first, other])
      await site.expectRefresh(refresh_token);
  });

  it("refreshes once, if 20 requests with it come at the same time with as many logins", async () => {
    const logins = await Promise.all(
      Array.from({ length: 20 }, () => client.login()),
    );
    const parameters = await client.parameters();
    const answers = await Promise.all(
      logins.map(async ({ refresh_token }) =>
        server.token(await refreshForm(refresh_token, parameters)),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(19);
    const refusedLogins = logins.filter((_, at) => answers[at]?.status === 401);
    for (const { refresh_token } of refusedLogins)
      await client.expectRefresh(refresh_token);
  });

  it("that came with a demand for a nonce gets nothing: openid-client makes another one for the answer", async () => {
    const own = serverWith({ DPOP_NONCE_REQUIRED: "on" });
    const key = await makeKey("ES256", "one");
    const { client_id } = await KeyClient.make(eachOnce, { key });
    const site = new KeyClient(client_id, key, server);
    const { refresh_token } = await site.login();
    const bodies: string[] = [];
    const configuration = await openid.discovery(
      new URL(ISSUER),
      client_id,
      undefined,
      openid.PrivateKeyJwt({ key: key.privateKey, kid: "one" }),
      {
        algorithm: "oauth2",
        [openid.customFetch]: async (url, { body, ...init }) => {
          const request = new Request(url, { ...init, body: body ?? null });
          if (body) bodies.push(await request.clone().text());
          return own.fetch(request);
        },
      },
    );
    const DPoP = openid.getDPoPHandle(
      configuration,
      await openid.randomDPoPKeyPair(),
    );
    const tokens = await openid.refreshTokenGrant(
      configuration,
      refresh_token,
      undefined,
      { DPoP },
    );
    expect(bodies).toHaveLength(2);
    for (const body of bodies) {
      const theft = await server.token([...new URLSearchParams(body)]);
      expect(await refusal(theft)).toEqual(used);
    }
    await site.expectRefresh(tokens.refresh_token ?? "");
  });

  it("is not used up, and neither is the token, while the storage cannot be reached", async () => {
    const down = serverWith({
      ASSERTION_LEDGER: {
        idFromName: () => "",
        get: () => ({ take: () => fault("overloaded", { overloaded: true }) }),
      },
    });
    const { refresh_token } = await client.login();
    const form = await refreshForm(refresh_token);
    lines = listenToLog();
    expect(await refusal(await down.token(form))).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    expect(stolen()).toEqual([]);
    await tokensOf(await server.token(form));
  });

  it("is used up by a request that another object has failed, and the token is not", async () => {
    const down = serverWith({
      TOKEN_FAMILY: {
        idFromString: (id: string) => env.TOKEN_FAMILY.idFromString(id),
        idFromName: (name: string) => env.TOKEN_FAMILY.idFromName(name),
        get: () => ({
          exchange: () => fault("overloaded", { overloaded: true }),
        }),
      },
    });
    const { refresh_token } = await client.login();
    const form = await refreshForm(refresh_token);
    expect((await down.token(form)).status).toBe(503);
    expect(await refusal(await server.token(form))).toEqual(used);
    await client.expectRefresh(refresh_token);
  });

  it("is no second use of itself when its holder is late", async () => {
    const { refresh_token } = await client.login();
    const second = await client.expectRefresh(refresh_token);
    const form = await refreshForm(refresh_token);
    const { refresh_token: newest } = await tokensOf(await server.token(form));
    expect(newest).toBe(second);
    expect(await refusal(await server.token(form))).toEqual(used);
  });
});

describe("the price of single_use_client_assertions", () => {
  it("is one call of another object for each refresh, a late one too, and one digest", async () => {
    const { calls, bindings } = countingBindings();
    let taken = 0;
    const namespace = env.ASSERTION_LEDGER;
    const at = serverWith({
      ...bindings,
      ASSERTION_LEDGER: {
        idFromName: (name: string) => namespace.idFromName(name),
        get: (id: DurableObjectId) => ({
          take(...args: [string, string, number]) {
            taken += 1;
            return namespace.get(id).take(...args);
          },
        }),
      },
    });
    const own = await KeyClient.make(eachOnce, { at });
    const first = await own.login();
    const second = await own.expectRefresh(first.refresh_token);
    for (const token of [second, first.refresh_token]) {
      const form = await refreshForm(token, await own.parameters());
      const before = { ...calls };
      const takenBefore = taken;
      const counted = countCrypto();
      expect((await at.token(form)).status).toBe(200);
      expect(calls).toEqual({ ...before, family: before.family + 1 });
      expect(taken).toBe(takenBefore + 1);
      expect(counted()).toEqual({ verify: 2, sign: 2, digest: 3 });
      vi.restoreAllMocks();
    }
  });
});

describe("the field single_use_client_assertions", () => {
  it.each([
    ["a secret", {}],
    ["no authentication", { token_endpoint_auth_method: "none" }],
    [
      "a certificate",
      {
        token_endpoint_auth_method: "tls_client_auth",
        tls_client_auth_subject_dn: "CN=a",
      },
    ],
  ])("is refused for a client with %s", async (_, fields) => {
    const response = await server.admin("POST", "/clients", {
      ...fields,
      ...eachOnce,
    });
    expect(await fieldErrors(response)).toEqual({
      single_use_client_assertions: expect.stringContaining("private_key_jwt"),
    });
  });

  it("may be false for every client, and can be turned on and off", async () => {
    const single_use_client_assertions = false;
    await server.makeClient({ single_use_client_assertions });
    const own = await KeyClient.make({ single_use_client_assertions });
    const path = `/clients/${own.client_id}`;
    const twice = await own.parameters();
    for (const { refresh_token } of [await own.login(), await own.login()])
      await tokensOf(
        await server.token(await refreshForm(refresh_token, twice)),
      );
    await server.expectAdmin("PATCH", path, eachOnce);
    expect(await server.expectAdmin("GET", path)).toMatchObject(eachOnce);
    await server.expectAdmin("PATCH", path, {
      single_use_client_assertions: null,
    });
    expect(await server.expectAdmin("GET", path)).not.toHaveProperty(
      "single_use_client_assertions",
    );
  });

  it("may stay when the client gets another method, has no effect there, and counts again later", async () => {
    const own = await KeyClient.make(eachOnce);
    const path = `/clients/${own.client_id}`;
    const bySecret = { token_endpoint_auth_method: null, jwks: null };
    await server.expectAdmin("PATCH", path, bySecret);
    await server.expectAdmin("PATCH", path, { client_name: "By secret" });
    await server.expectAdmin("PATCH", path, {
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [own.key.jwk] },
    });
    const { refresh_token } = await own.login();
    const form = await refreshForm(refresh_token, await own.parameters());
    await tokensOf(await server.token(form));
    expect(await refusal(await server.token(form))).toEqual(used);
  });

  it("keeps nobody from disabling a client whose metadata document has become that of a public one", async () => {
    const { client_id } = await makeDocumentClient({
      token_endpoint_auth_method: "none",
      ...eachOnce,
    });
    const path = `/clients/${encodeURIComponent(client_id)}`;
    const disabled = await server.admin("PATCH", path, { disabled: true });
    expect(disabled.status).toBe(200);
  });
});
