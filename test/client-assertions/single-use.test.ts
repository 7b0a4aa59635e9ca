import {
  listDurableObjectIds,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { asParameters, KeyClient, makeKey } from "../support/assertions.ts";
import { countCrypto, countingBindings } from "../support/counting.ts";
import { makeProofKey } from "../support/dpop.ts";
import { fault } from "../support/faults.ts";
import { KeySite } from "../support/key-site.ts";
import { proofOf } from "../support/proving.ts";
import {
  refusal,
  server,
  serverWith,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/** An assertion is for single use where what it is used for is not (RFC 7523 section 3, `jti`). And what assertions cost. */

const used = [401, "invalid_client", "client_assertion_used"];
const grant_types = ["client_credentials", "refresh_token"];

let client: KeyClient;

beforeAll(async () => {
  await server.makeScopes("read");
  client = await KeyClient.make({ grant_types, scope: "read" });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

type Parameters = Record<string, string>;

function ownToken(form: Parameters, at: TestServer = server) {
  return at.token({ grant_type: "client_credentials", ...form });
}

function about(path: string, form: Parameters, at: TestServer = server) {
  return at.http(path, { method: "POST", body: new URLSearchParams(form) });
}

/** Makes a token of the client, because the assertion of a request about a forged one is not used up. */
async function newToken() {
  const subject = crypto.randomUUID();
  const { refresh_token } = await server.login(client, { subject });
  return { token: refresh_token };
}

const endpoints: [
  string,
  (form: Parameters, at?: TestServer) => Promise<Response>,
][] = [
  ["client_credentials", ownToken],
  [
    "/revoke",
    async (form, at) =>
      about("/revoke", { ...(await newToken()), ...form }, at),
  ],
  [
    "/introspect",
    async (form, at) =>
      about("/introspect", { ...(await newToken()), ...form }, at),
  ],
];

describe.each(endpoints)("at %s", (_, send) => {
  it("an assertion is used once, and refused at every other endpoint then", async () => {
    const form = await client.parameters();
    expect((await send(form)).status).toBe(200);
    for (const [, again] of endpoints)
      expect(await refusal(await again(form))).toEqual(used);
  });

  it("one of 20 requests at the same time has its assertion accepted", async () => {
    const form = await client.parameters();
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => send(form)),
    );
    const statuses = responses.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(19);
  });

  it("an assertion is not used up while the storage cannot be reached", async () => {
    const down = serverWith({
      ASSERTION_LEDGER: {
        idFromName: () => "",
        get: () => ({ take: () => fault("overloaded", { overloaded: true }) }),
      },
    });
    const form = await client.parameters();
    const response = await send(form, down);
    expect(response.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(await refusal(response)).toEqual([
      503,
      "temporarily_unavailable",
      "storage_unavailable",
    ]);
    expect((await send(form)).status).toBe(200);
  });

  it("an answer of the storage that is lost is not a second use", async () => {
    let calls = 0;
    const namespace = env.ASSERTION_LEDGER;
    const losing = serverWith({
      ASSERTION_LEDGER: {
        idFromName: (name: string) => namespace.idFromName(name),
        get: (id: DurableObjectId) => ({
          async take(...args: [string, string, number]) {
            const result = await namespace.get(id).take(...args);
            calls += 1;
            return calls === 1 ? fault("lost", { retryable: true }) : result;
          },
        }),
      },
    });
    const form = await client.parameters();
    expect((await send(form, losing)).status).toBe(200);
    expect(calls).toBe(2);
    expect(await refusal(await send(form))).toEqual(used);
  });
});

describe("a request that is refused uses no assertion up", () => {
  it("a scope that the client may not have", async () => {
    const form = await client.parameters();
    expect((await ownToken({ ...form, scope: "write" })).status).toBe(400);
    expect((await ownToken(form)).status).toBe(200);
  });

  it("a token that is missing", async () => {
    for (const path of ["/revoke", "/introspect"]) {
      const form = await client.parameters();
      expect((await about(path, form)).status).toBe(400);
      expect((await about(path, { token: "x", ...form })).status).toBe(200);
    }
  });

  it("a DPoP proof that needs a nonce: the same assertion may come again with the next one", async () => {
    const own = serverWith({ DPOP_NONCE_REQUIRED: "on" });
    const form = {
      grant_type: "client_credentials",
      ...(await client.parameters()),
    };
    const key = await makeProofKey();
    const send = async (nonce?: string) =>
      own.token(form, {
        DPoP: await proofOf(key, { nonce }),
      });
    const challenge = await send();
    expect(await refusal(challenge.clone())).toEqual([
      400,
      "use_dpop_nonce",
      "dpop_nonce_missing",
    ]);
    const nonce = challenge.headers.get("DPoP-Nonce") ?? "";
    expect(await (await send(nonce)).json()).toMatchObject({
      token_type: "DPoP",
    });
  });

  it("a grant type that the client may not use", async () => {
    const form = await client.parameters();
    const body = { grant_type: "authorization_code", code: "x", ...form };
    expect((await server.token(body)).status).toBe(400);
    expect((await ownToken(form)).status).toBe(200);
  });
});

describe("a refresh token is for single use itself", () => {
  it("so an assertion may come with two, and no object is asked", async () => {
    const [one, other] = [await client.login(), await client.login()];
    const form = await client.parameters();
    for (const { refresh_token } of [one, other]) {
      const body = { grant_type: "refresh_token", refresh_token, ...form };
      expect((await server.token(body)).status).toBe(200);
    }
    expect((await ownToken(form)).status).toBe(200);
  });
});

describe("the id of an assertion", () => {
  it("is of its client: another one may have the same", async () => {
    const other = await KeyClient.make({ grant_types });
    const saying = { claims: { jti: "1" } };
    expect((await ownToken(await client.parameters(saying))).status).toBe(200);
    expect((await ownToken(await other.parameters(saying))).status).toBe(200);
    expect(
      await refusal(await ownToken(await client.parameters(saying))),
    ).toEqual(used);
  });

  it("may be long", async () => {
    const saying = { claims: { jti: "x".repeat(8000) } };
    const form = await client.parameters(saying);
    expect((await ownToken(form)).status).toBe(200);
    expect(await refusal(await ownToken(form))).toEqual(used);
  });
});

/** The names of the tables of an object, and its alarm. */
function stored(id: DurableObjectId) {
  return runInDurableObject(
    env.ASSERTION_LEDGER.get(id),
    async (_, { storage }) => ({
      tables: storage.sql
        .exec(
          "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'",
        )
        .toArray()
        .map(({ name }) => name),
      alarm: await storage.getAlarm(),
    }),
  );
}

/** Finds the objects that an action has made. */
async function madeBy(
  action: () => Promise<unknown>,
): Promise<DurableObjectId[]> {
  const known = new Set(
    (await listDurableObjectIds(env.ASSERTION_LEDGER)).map(String),
  );
  await action();
  const ids = await listDurableObjectIds(env.ASSERTION_LEDGER);
  return ids.filter((id) => !known.has(String(id)));
}

describe("the ledger of a client", () => {
  it("keeps an id until it has expired by every clock, and then nothing", async () => {
    const other = await KeyClient.make({ grant_types });
    const now = Math.floor(Date.now() / 1000);
    const first = await other.parameters({
      claims: { jti: "short", exp: now + 60 },
    });
    const [id] = await madeBy(() => ownToken(first));
    expect(await stored(id!)).toEqual({
      tables: ["used"],
      // Two minutes more than `exp`: the difference that the clocks of client and server may have, and that of two
      // locations of the server.
      alarm: (now + 60 + 120) * 1000,
    });
    vi.spyOn(Date, "now").mockReturnValue((now + 60 + 119) * 1000);
    await runDurableObjectAlarm(env.ASSERTION_LEDGER.get(id!));
    expect((await stored(id!)).tables).toEqual(["used"]);
    vi.spyOn(Date, "now").mockReturnValue((now + 60 + 121) * 1000);
    await runInDurableObject(env.ASSERTION_LEDGER.get(id!), (ledger) =>
      ledger.alarm(),
    );
    expect(await stored(id!)).toEqual({ tables: [], alarm: null });
  });

  it("is several objects, so that a busy client does not wait for one", async () => {
    const other = await KeyClient.make({ grant_types });
    const made = await madeBy(async () => {
      for (let round = 0; round < 40; round++)
        expect((await ownToken(await other.parameters())).status).toBe(200);
    });
    // 40 random ids are in fewer than 8 of 16 objects once in a million times.
    expect(made.length).toBeGreaterThanOrEqual(8);
    expect(made.length).toBeLessThanOrEqual(16);
  });
});

describe("a server whose configuration is older than the binding", () => {
  const bare = () => serverWith({ ASSERTION_LEDGER: undefined });
  const missing = {
    name: "ASSERTION_LEDGER",
    problem: expect.stringMatching(
      /setup --update` adds it to wrangler\.json$/,
    ) as unknown,
  };

  it("refreshes, and says what is missing where an assertion must be single use", async () => {
    const own = bare();
    const { refresh_token } = await client.login();
    const form = await client.parameters();
    const body = { grant_type: "refresh_token", refresh_token, ...form };
    expect((await own.token(body)).status).toBe(200);
    const response = await ownToken(form, own);
    expect(
      (await response.clone().json<{ error_description: string }>())
        .error_description,
    ).toContain("ASSERTION_LEDGER");
    expect(await refusal(response)).toEqual([
      500,
      "server_error",
      "assertion_ledger_not_bound",
    ]);
  });

  it("says so in /health if a client needs it, and always to doctor", async () => {
    const own = bare();
    expect(await (await own.health()).json()).toEqual({
      status: "degraded",
      problems: [missing],
    });
    const { checks } = await own.expectAdmin<{ checks: { name: string }[] }>(
      "POST",
      "/doctor",
    );
    expect(
      checks.find(({ name }) => name === "ASSERTION_LEDGER"),
    ).toMatchObject(missing);
    expect(await (await server.health()).json()).toEqual({ status: "ok" });
  });
});

describe("the cost of an assertion", () => {
  it.each(["/revoke", "/introspect"])(
    "is no call of an object at %s with a token that this server has not made",
    async (path) => {
      const { calls, bindings } = countingBindings();
      const ASSERTION_LEDGER = {
        idFromName: () => expect.fail("no ledger is asked"),
      };
      const at = serverWith({ ...bindings, ASSERTION_LEDGER });
      const { token } = await newToken();
      const forged = `${token.slice(0, -4)}AAAA`;
      const before = { ...calls };
      for (const wrong of [forged, "x"]) {
        const form = { token: wrong, ...(await client.parameters()) };
        expect((await about(path, form, at)).status).toBe(200);
      }
      expect(calls.family).toBe(before.family);
    },
  );

  it.each([
    ["the record", "jwks"],
    ["a URL", "jwks_uri"],
  ])(
    "is one verification at a refresh with a key of %s: no call of an object, no KV access, no fetch",
    async (_, place) => {
      const { calls, bindings } = countingBindings();
      const ASSERTION_LEDGER = {
        idFromName: () => expect.fail("no ledger is asked"),
      };
      const at = serverWith({ ...bindings, ASSERTION_LEDGER });
      const key = await makeKey();
      const site = new KeySite([key.jwk]);
      const { jwks_uri } = site;
      const metadata = place === "jwks_uri" ? { jwks_uri } : {};
      const own = await KeyClient.make(metadata, { key, at });
      const first = await own.refresh((await own.login()).refresh_token);
      const { refresh_token } = await first.json<Tokens>();
      const body = { grant_type: "refresh_token", refresh_token };
      const form = { ...body, ...(await own.parameters()) };
      const before = { ...calls };
      const fetched = site.fetched.length;
      const counted = countCrypto();
      expect((await at.token(form)).status).toBe(200);
      expect(calls).toEqual({ ...before, family: before.family + 1 });
      expect(site.fetched).toHaveLength(fetched);
      // verify: the assertion, and the token's MAC. digest: the family secret, and the id of the assertion, by which the
      // login knows it again. With a client secret it is as many.
      expect(counted()).toEqual({ verify: 2, sign: 2, digest: 2 });
    },
  );

  it("is the same for a client that does not exist, that has another method, or whose key has not signed", async () => {
    const posting = await server.makeClient();
    const other = await makeKey();
    const counts = [];
    for (const client_id of [client.client_id, "nobody", posting.client_id]) {
      const own = new KeyClient(client_id, other, server);
      // The first one of an isolate reads keys.
      await own.refresh("none");
      const body = { grant_type: "refresh_token", refresh_token: "none" };
      const form = { ...body, ...(await own.parameters()) };
      const counted = countCrypto();
      await server.token(form);
      counts.push(counted());
      vi.restoreAllMocks();
    }
    expect(counts).toEqual([{ verify: 1 }, { verify: 1 }, { verify: 1 }]);
  });

  it("is no verification if its claims are not good, or if it is garbage", async () => {
    const { client_id } = client;
    const body = { grant_type: "refresh_token", refresh_token: "x", client_id };
    const late = await client.parameters({ claims: { exp: 1 } });
    const garbage = asParameters("x".repeat(15_000));
    const counted = countCrypto();
    for (const form of [late, garbage])
      expect((await server.token({ ...body, ...form })).status).toBe(401);
    expect(counted()).toEqual({});
  });
});
