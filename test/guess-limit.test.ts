import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import * as oauth from "oauth4webapi";
import {
  MAX_PER_NETWORK,
  MAX_PER_SITE,
  PERIOD_SECONDS,
  type SharedCount,
} from "../src/oauth/guess-limit.ts";
import { countingBindings } from "./support/counting.ts";
import { listenToLog, parsedLog } from "./support/log.ts";
import { kvWith } from "./support/slow.ts";
import {
  basic,
  countRefusals,
  ISSUER,
  refusal,
  serverWith,
  type TestClient,
  type TestServer,
} from "./support/server.ts";

/** Wrong client secrets are limited per client and network, wrong admin tokens per network. */

const wrong = [401, "invalid_client", "client_secret_wrong"];
const unknown = [401, "invalid_client", "client_unknown"];
const limited = [429, "temporarily_unavailable", "client_secrets_limited"];
/** A right secret: the request is refused for its refresh token only. */
const right = [400, "invalid_grant", "refresh_token_malformed"];

/** Own counts only, as where the platform has no rate limits: every server here is one isolate. */
const own = { GUESSES_PER_NETWORK: undefined, GUESSES_PER_SITE: undefined };

let client: TestClient;
let publicClient: TestClient;

beforeAll(async () => {
  const server = serverWith({});
  client = await server.makeClient();
  publicClient = await server.makeClient({
    token_endpoint_auth_method: "none",
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** An isolate that logs nothing about the missing rate limits. */
function isolate(overrides: Record<string, unknown> = {}): TestServer {
  listenToLog();
  return serverWith({ ...own, ...overrides });
}

/** A request with a token that is refused after authentication. */
function attempt(
  server: TestServer,
  address: string,
  { client_id, client_secret }: { client_id: string; client_secret?: string },
  headers: Record<string, string> = {},
): Promise<Response> {
  const form = {
    grant_type: "refresh_token",
    refresh_token: "none",
    client_id,
  };
  return server.token(
    { ...form, ...(client_secret !== undefined && { client_secret }) },
    { "CF-Connecting-IP": address, ...headers },
  );
}

function guess(
  server: TestServer,
  address: string,
  client_id = client.client_id,
): Promise<Response> {
  const client_secret = crypto.randomUUID();
  return attempt(server, address, { client_id, client_secret });
}

/** Uses up the limit: every answer says that the secret is wrong. */
async function useUp(
  server: TestServer,
  address: string,
  client_id = client.client_id,
): Promise<void> {
  const expected = client_id === client.client_id ? wrong : unknown;
  for (let sent = 0; sent < MAX_PER_NETWORK; sent++) {
    const response = await guess(server, address, client_id);
    expect(await refusal(response)).toEqual(expected);
  }
}

describe("wrong client secrets", () => {
  it("are limited per client and network: 429, which says when to come back, to browsers too", async () => {
    const server = isolate();
    await useUp(server, "192.0.2.1");
    const response = await guess(server, "192.0.2.1");
    expect(response.headers.get("WWW-Authenticate")).toBeNull();
    expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(response.headers.get("Access-Control-Expose-Headers")).toContain(
      "Retry-After",
    );
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    const seconds = Number(response.headers.get("Retry-After"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(PERIOD_SECONDS);
    expect(await refusal(response)).toEqual(limited);

    // Another network, and another client, is not slowed down.
    expect(await refusal(await attempt(server, "192.0.2.2", client))).toEqual(
      right,
    );
    const other = await server.makeClient();
    expect(await refusal(await attempt(server, "192.0.2.1", other))).toEqual(
      right,
    );
  });

  it("keep the right secret of the same network out until the period ends, or it could be guessed", async () => {
    const server = isolate();
    await useUp(server, "192.0.2.3");
    for (const response of [
      await attempt(server, "192.0.2.3", client),
      await server.http("/revoke", {
        method: "POST",
        headers: { "CF-Connecting-IP": "192.0.2.3" },
        body: new URLSearchParams({ ...idAndSecret(), token: "none" }),
      }),
      await server.http("/introspect", {
        method: "POST",
        headers: {
          "CF-Connecting-IP": "192.0.2.3",
          Authorization: basic(client.client_id, client.client_secret),
        },
        body: new URLSearchParams({ token: "none" }),
      }),
    ])
      expect(await refusal(response)).toEqual(limited);
    const now = Date.now() + PERIOD_SECONDS * 1000;
    vi.useFakeTimers({ toFake: ["Date"], now });
    expect(await refusal(await attempt(server, "192.0.2.3", client))).toEqual(
      right,
    );
  });

  it("are limited in the same way for a client that does not exist", async () => {
    const server = isolate();
    const nobody = crypto.randomUUID();
    await useUp(server, "192.0.2.4", nobody);
    await useUp(server, "192.0.2.4");
    const [one, other] = [
      await guess(server, "192.0.2.4", nobody),
      await guess(server, "192.0.2.4"),
    ];
    expect(await one.clone().json()).toEqual(await other.clone().json());
    const names = ({ headers }: Response) => [...headers.keys()];
    expect(names(one)).toEqual(names(other));
    expect(await refusal(one)).toEqual(limited);
    expect(await refusal(other)).toEqual(limited);
  });

  it("are limited by Basic and in the body together, and cost no look at KV afterwards", async () => {
    const { calls, bindings } = countingBindings();
    const server = isolate(bindings);
    const form = { grant_type: "refresh_token", refresh_token: "none" };
    const send = (secret: string) =>
      server.token(form, {
        "CF-Connecting-IP": "192.0.2.5",
        Authorization: basic(client.client_id, secret),
      });
    for (let sent = 0; sent < MAX_PER_NETWORK; sent += 2) {
      expect((await send("wrong")).status).toBe(401);
      expect((await guess(server, "192.0.2.5")).status).toBe(401);
    }
    const before = { ...calls };
    expect(await refusal(await send("wrong"))).toEqual(limited);
    expect(await refusal(await guess(server, "192.0.2.5"))).toEqual(limited);
    expect(calls).toEqual(before);
  });

  it("are limited also when they come all at once: no more are answered, not even the right one", async () => {
    // A read that has no answer is not made again, however long the guesses take.
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const isAsked = Promise.withResolvers<void>();
    const areAnswered = Promise.withResolvers<void>();
    const key = `client:${client.client_id}`;
    let reads = 0;
    const KV = kvWith((read) => {
      if (read !== key || ++reads > 1) return undefined;
      isAsked.resolve();
      return areAnswered.promise;
    });
    const server = isolate({ KV });
    const rightOne = attempt(server, "192.0.2.6", client);
    await isAsked.promise;
    const guesses = await Promise.all(
      Array.from({ length: MAX_PER_NETWORK * 2 }, () =>
        guess(server, "192.0.2.6"),
      ),
    );
    areAnswered.resolve();
    expect(await countRefusals([...guesses, await rightOne])).toEqual({
      [wrong.join(" ")]: MAX_PER_NETWORK,
      [limited.join(" ")]: MAX_PER_NETWORK + 1,
    });
  });

  it("do not count if the secret is right, however many requests there are", async () => {
    const server = isolate();
    for (let sent = 0; sent < MAX_PER_NETWORK * 2; sent++) {
      const response = await attempt(server, "192.0.2.7", client);
      expect(await refusal(response)).toEqual(right);
    }
    expect(await refusal(await guess(server, "192.0.2.7"))).toEqual(wrong);
  });

  it("keep no public client out, and a request without a secret is never limited", async () => {
    const server = isolate();
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await guess(server, "192.0.2.8", publicClient.client_id);
    expect(
      await refusal(await guess(server, "192.0.2.8", publicClient.client_id)),
    ).toEqual(limited);
    const { client_id } = publicClient;
    expect(
      await refusal(await attempt(server, "192.0.2.8", { client_id })),
    ).toEqual(right);
    const method = "client_authentication_method_wrong";
    for (let sent = 0; sent < MAX_PER_NETWORK * 2; sent++) {
      const response = await attempt(server, "192.0.2.9", {
        client_id: client.client_id,
      });
      expect(await refusal(response)).toEqual([401, "invalid_client", method]);
    }
  });

  it.each([
    ["nobody knows the network", {}],
    ["the address is 127.0.0.1", { "CF-Connecting-IP": "127.0.0.1" }],
    ["the address is ::1", { "CF-Connecting-IP": "::1" }],
    ["it is ::ffff:127.0.0.1", { "CF-Connecting-IP": "::ffff:127.0.0.1" }],
  ])(
    "are not limited where %s, as in local development",
    async (_, headers: Record<string, string>) => {
      const server = isolate();
      const { client_id } = client;
      const form = { grant_type: "refresh_token", refresh_token: "none" };
      const responses = [];
      for (let sent = 0; sent <= MAX_PER_NETWORK; sent++)
        responses.push(
          await server.token(
            { ...form, client_id, client_secret: "x" },
            headers,
          ),
        );
      expect(await countRefusals(responses)).toEqual({
        [wrong.join(" ")]: MAX_PER_NETWORK + 1,
      });
    },
  );

  it("do not use up the limit by faults of storage", async () => {
    const KV = new Proxy(env.KV, {
      get: () => () => Promise.reject(new Error("no answer")),
    });
    const server = isolate({ KV });
    // Each of these waits for the retries, so they are sent together.
    const faults = await Promise.all(
      Array.from({ length: MAX_PER_NETWORK + 1 }, () =>
        guess(server, "192.0.2.11"),
      ),
    );
    expect(await countRefusals(faults)).toEqual({
      "503 temporarily_unavailable storage_unavailable": MAX_PER_NETWORK + 1,
    });
  });

  it("are told to a client library as an error that is neither invalid_client nor invalid_grant", async () => {
    const server = isolate();
    await useUp(server, "192.0.2.12");
    const as = { issuer: ISSUER, token_endpoint: `${ISSUER}/access_token` };
    const { client_id, client_secret } = client;
    const response = await oauth.refreshTokenGrantRequest(
      as,
      { client_id },
      oauth.ClientSecretPost(client_secret),
      "none",
      {
        headers: { "CF-Connecting-IP": "192.0.2.12" },
        [oauth.customFetch]: (url, init) =>
          server.http(new URL(url).pathname, init),
      },
    );
    await expect(
      oauth.processRefreshTokenResponse(as, { client_id }, response),
    ).rejects.toMatchObject({
      name: "ResponseBodyError",
      status: 429,
      error: "temporarily_unavailable",
    });
  });
});

describe("a network", () => {
  it("is the first 64 bits of an IPv6 address", async () => {
    const server = isolate();
    await useUp(server, "2001:db8:0:1::1");
    const tries = [
      ["2001:db8:0:1:ffff::2", limited],
      ["2001:db8:0:2::1", right],
      ["::ffff:192.0.2.13", right],
    ] as const;
    for (const [address, expected] of tries) {
      const response = await attempt(server, address, client);
      expect(await refusal(response), address).toEqual(expected);
    }
  });

  it("counts with its site, the first 48 bits, at a higher limit", async () => {
    const server = isolate();
    for (let sent = 0; sent < MAX_PER_SITE; sent++) {
      const response = await guess(
        server,
        `2001:db8:7:${sent.toString(16)}::1`,
      );
      expect(await refusal(response)).toEqual(wrong);
    }
    const fresh = await attempt(server, "2001:db8:7:ffff::1", client);
    expect(await refusal(fresh)).toEqual(limited);
    const elsewhere = await attempt(server, "2001:db8:8::1", client);
    expect(await refusal(elsewhere)).toEqual(right);
  });

  it("is the zone of a Worker, because all Workers of other zones have one address", async () => {
    const server = isolate();
    const from = (zone: string, client_secret: string) =>
      attempt(
        server,
        "2a06:98c0:3600::103",
        { ...client, client_secret },
        { "CF-Worker": zone },
      );
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await from("attacker.example", "wrong");
    const { client_secret } = client;
    expect(
      await refusal(await from("attacker.example", client_secret)),
    ).toEqual(limited);
    expect(await refusal(await from("app.example", client_secret))).toEqual(
      right,
    );
  });

  it("is not what a caller outside of Workers says in CF-Worker", async () => {
    const server = isolate();
    const send = (zone: string) =>
      attempt(
        server,
        "192.0.2.14",
        { ...client, client_secret: "wrong" },
        { "CF-Worker": zone },
      );
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await send(`${sent}.example`);
    expect(await refusal(await send("new.example"))).toEqual(limited);
  });
});

describe("wrong admin tokens", () => {
  const limitedAdmin = [429, "temporarily_unavailable", "admin_tokens_limited"];

  function ask(server: TestServer, address: string, token: string) {
    return server.http("/admin/scopes", {
      headers: {
        Authorization: `Bearer ${token}`,
        "CF-Connecting-IP": address,
      },
    });
  }

  it("are limited per network, and keep nobody else out", async () => {
    const server = isolate();
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++) {
      const response = await ask(server, "192.0.2.1", crypto.randomUUID());
      expect(await refusal(response)).toEqual([
        401,
        "invalid_token",
        "admin_token_wrong",
      ]);
    }
    const response = await ask(server, "192.0.2.1", env.ADMIN_TOKEN);
    expect(Number(response.headers.get("Retry-After"))).toBeGreaterThan(0);
    expect(await refusal(response)).toEqual(limitedAdmin);
    expect((await ask(server, "192.0.2.2", env.ADMIN_TOKEN)).status).toBe(200);
    // A guess at the admin token is none at a client's secret.
    expect(await refusal(await attempt(server, "192.0.2.1", client))).toEqual(
      right,
    );
  });

  it("do not count if they are right or missing", async () => {
    const server = isolate();
    for (let sent = 0; sent < MAX_PER_NETWORK * 2; sent++) {
      const response = await server.http("/admin/scopes", {
        headers: { "CF-Connecting-IP": "192.0.2.3" },
      });
      expect(response.status).toBe(401);
      expect((await ask(server, "192.0.2.3", env.ADMIN_TOKEN)).status).toBe(
        200,
      );
    }
  });
});

/** Makes a shared count of one period, which does not end. */
function countUpTo(max: number): SharedCount {
  const counts = new Map<string, number>();
  return {
    limit: async ({ key }) => {
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return { success: count <= max };
    },
  };
}

describe("the platform's rate limits", () => {
  it("are asked about wrong guesses only, once per network and once per site", async () => {
    const asked: [string, string][] = [];
    const counting = (name: string) => ({
      limit: async ({ key }: { key: string }) => {
        asked.push([name, key]);
        return { success: true };
      },
    });
    const server = serverWith({
      GUESSES_PER_NETWORK: counting("network"),
      GUESSES_PER_SITE: counting("site"),
    });
    await attempt(server, "2001:db8:0:1::1", client);
    expect(asked).toEqual([]);
    await guess(server, "2001:db8:0:1::1");
    const { client_id } = client;
    expect(asked).toEqual([
      ["network", `client_secret 2001:db8:0:1 ${client_id}`],
      ["site", `client_secret 2001:db8:0 ${client_id}`],
    ]);
    await guess(server, "192.0.2.1");
    expect(asked.slice(2)).toEqual([
      ["network", `client_secret 192.0.2.1 ${client_id}`],
    ]);
  });

  it("understand what they are asked: a wrong guess reports no fault", async () => {
    const lines = listenToLog();
    const response = await guess(serverWith({}), "198.51.100.2");
    expect(await refusal(response)).toEqual(wrong);
    expect(parsedLog(lines).map(({ event }) => event)).not.toContain(
      "guess_limit.unreachable",
    );
  });

  it("hold what other isolates have counted: after one wrong guess this isolate refuses too", async () => {
    // The platform's own counts begin again with each minute of the clock, also in the middle of a test.
    const shared = {
      GUESSES_PER_NETWORK: countUpTo(MAX_PER_NETWORK),
      GUESSES_PER_SITE: countUpTo(MAX_PER_SITE),
    };
    const [one, other] = [serverWith(shared), serverWith(shared)];
    await useUp(one, "198.51.100.1");
    expect(await refusal(await guess(other, "198.51.100.1"))).toEqual(wrong);
    const response = await attempt(other, "198.51.100.1", client);
    expect(await refusal(response)).toEqual(limited);
  });

  it.each([
    ["fail", { limit: () => Promise.reject(new Error("no answer")) }],
    ["are missing", undefined],
  ])(
    "may %s: the isolate counts for itself, and logs it",
    async (_, binding) => {
      const lines = listenToLog();
      const server = serverWith({
        GUESSES_PER_NETWORK: binding,
        GUESSES_PER_SITE: binding,
      });
      await useUp(server, "192.0.2.15");
      expect(await refusal(await guess(server, "192.0.2.15"))).toEqual(limited);
      const events = parsedLog(lines).map(({ event }) => event);
      expect(events).toContain("guess_limit.unreachable");
      expect(lines.join()).not.toContain("192.0.2.15");
    },
  );
});

describe("the memory of an isolate", () => {
  it("keeps a bounded number of callers, and forgets the oldest", async () => {
    const { GuessLimit } = await import("../src/oauth/guess-limit.ts");
    const shared = { limit: async () => ({ success: true }) };
    const guesses = new GuessLimit({ perNetwork: shared, perSite: shared });
    const wrongGuess = (network: string) =>
      guesses.limit(
        { kind: "admin_token", network },
        async () => false,
        (isRight) => !isRight,
      );
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await wrongGuess("192.0.2.1");
    await expect(wrongGuess("192.0.2.1")).rejects.toThrow(
      "admin_tokens_limited",
    );
    for (let network = 0; network < 10_000; network++)
      await wrongGuess(`network ${network}`);
    await expect(wrongGuess("192.0.2.1")).resolves.toBe(false);
  });
});

function idAndSecret(): Record<string, string> {
  const { client_id, client_secret } = client;
  return { client_id, client_secret };
}
