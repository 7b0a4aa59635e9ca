import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  authorizationQuery,
  location,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "./support/authorization.ts";
import { countingBindings } from "./support/counting.ts";
import { kvWith, meetingKv, slowBindings } from "./support/slow.ts";
import { reasonOf } from "./support/request-lines.ts";
import {
  refusal,
  server,
  serverWith,
  type TestServer,
} from "./support/server.ts";

/** Tests that a request waits for nothing that could be done meanwhile, and that no more storage is asked for it. */

const KV_MS = 60;
const OBJECT_MS = 25;
const REPEATS = 20;
/** The read that finds both catalogues. */
const CATALOGUES = "scopes and resources";

afterEach(() => {
  vi.restoreAllMocks();
});

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length / 2]!;
}

/** Returns how long a request takes, in milliseconds. */
async function timeOf(request: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await request();
  return performance.now() - start;
}

/**
 * Expects that requests to slow storage take no longer than the storage, and a margin. If the same requests take
 * more than half of the margin without the delays, the machine is busy. Then the margin is that time and half a trip
 * to KV, so that a second trip still shows.
 */
async function expectToWaitFor(
  storageMs: number,
  marginMs: number,
  requestAt: (kvMs: number, objectMs: number) => Promise<number>,
): Promise<void> {
  const slow: number[] = [];
  const immediate: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    immediate.push(await requestAt(0, 0));
    slow.push(await requestAt(KV_MS, OBJECT_MS));
  }
  const busyMs = median(immediate);
  const margin = 2 * busyMs <= marginMs ? marginMs : busyMs + KV_MS / 2;
  expect(median(slow)).toBeLessThanOrEqual(storageMs + margin);
}

/** Changes the last character of a token. */
function forge(token: string): string {
  return token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
}

/** Makes an expired refresh token of a client with a lifetime of one second. */
async function expiredToken() {
  const client = await server.makeClient({ refresh_token_ttl: "PT1S" });
  const { refresh_token } = await server.login(client);
  await scheduler.wait(2_000);
  return { client, token: refresh_token };
}

describe("a refresh waits", () => {
  it("in a new isolate for one round trip to KV and one to the family, and in a warm one for the family alone", async () => {
    const client = await server.makeClient();
    let { refresh_token } = await server.login(client);
    const refreshAt = async (to: TestServer) => {
      ({ refresh_token } = await to.expectRefresh(client, refresh_token));
    };
    await expectToWaitFor(KV_MS + OBJECT_MS, 20, (kvMs, objectMs) => {
      const cold = serverWith(slowBindings(kvMs, objectMs));
      return timeOf(() => refreshAt(cold));
    });
    await expectToWaitFor(OBJECT_MS, 10, async (kvMs, objectMs) => {
      const warm = serverWith(slowBindings(kvMs, objectMs));
      await refreshAt(warm);
      return timeOf(() => refreshAt(warm));
    });
  });

  it("for client and catalogue at the same time", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const { keys, KV } = meetingKv(2);
    await serverWith({ KV }).expectRefresh(client, refresh_token);
    expect(keys).toEqual([`client:${client.client_id}`, CATALOGUES]);
  });

  it("for its keys while KV is asked", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const asked: string[] = [];
    let hasLeft = false;
    const KV = kvWith(async (key) => {
      asked.push(key);
      // A call leaves the isolate when the code that made it, and all that follows at once, has run.
      await scheduler.wait(0);
      hasLeft = true;
    });
    const states: { asked: number; hasLeft: boolean }[] = [];
    const sign = crypto.subtle.sign.bind(crypto.subtle);
    vi.spyOn(crypto.subtle, "sign").mockImplementation((...args) => {
      states.push({ asked: asked.length, hasLeft });
      return sign(...args);
    });
    await serverWith({ KV }).expectRefresh(client, refresh_token);
    // The first signature of an isolate is the one that tests its key.
    expect(states[0]).toEqual({ asked: 2, hasLeft: true });
  });
});

describe("a refresh token that can be refused without storage", () => {
  const cases = {
    refresh_token_malformed: async () => ({
      client: await server.makeClient(),
      token: "x".repeat(149),
    }),
    refresh_token_forged: async () => {
      const client = await server.makeClient();
      return {
        client,
        token: forge((await server.login(client)).refresh_token),
      };
    },
    refresh_token_expired: expiredToken,
  };

  it.each(Object.entries(cases))(
    "(%s) costs one read of KV in a new isolate, for the client, and none in a warm one",
    async (reason, make) => {
      const { client, token } = await make();
      const { calls, bindings } = countingBindings();
      const counted = serverWith(bindings);
      for (let i = 0; i < 2; i++) {
        expect(await refusal(await counted.refresh(client, token))).toEqual([
          400,
          "invalid_grant",
          reason,
        ]);
        expect(calls).toEqual({ family: 0, kvRead: 1, kvWrite: 0 });
      }
    },
  );

  it.each(Object.entries(cases))(
    "(%s) is not spoken of before the client is authenticated",
    async (_, make) => {
      const { client, token } = await make();
      const wrong = { ...client, client_secret: "wrong" };
      const fresh = serverWith({ KV: env.KV });
      expect(await refusal(await fresh.refresh(wrong, token))).toEqual([
        401,
        "invalid_client",
        "client_secret_wrong",
      ]);
      const notAllowed = await server.makeClient({
        grant_types: ["client_credentials"],
      });
      expect(await refusal(await fresh.refresh(notAllowed, token))).toEqual([
        400,
        "unauthorized_client",
        "grant_type_not_allowed",
      ]);
    },
  );
});

describe("a genuine refresh token", () => {
  const unavailable = [503, "temporarily_unavailable", "storage_unavailable"];

  function failFor(failing: string) {
    return kvWith((key) => {
      if (key.startsWith(failing)) throw new Error("on fire");
    });
  }

  it("is refused by its client first, also if the catalogue cannot be read", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const KV = failFor("scopes");
    const wrong = { ...client, client_secret: "wrong" };
    expect(
      await refusal(await serverWith({ KV }).refresh(wrong, refresh_token)),
    ).toEqual([401, "invalid_client", "client_secret_wrong"]);
    expect(
      await refusal(await serverWith({ KV }).refresh(client, refresh_token)),
    ).toEqual(unavailable);
    await server.expectRefresh(client, refresh_token);
  });

  it("is not consumed if the client cannot be read", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    for (const token of [refresh_token, forge(refresh_token), "x"])
      expect(
        await refusal(
          await serverWith({ KV: failFor("client:") }).refresh(client, token),
        ),
      ).toEqual(unavailable);
    await server.expectRefresh(client, refresh_token);
  });
});

describe("a private key that cannot be read", () => {
  it("is reported before anything else that is wrong, and nothing of the other answer is left", async () => {
    const failing = serverWith({ PRIVATE_KEY: "-----BEGIN PRIVATE KEY-----" });
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    const requests = {
      good: () => failing.refresh(client, refresh_token),
      "forged token": () => failing.refresh(client, forge(refresh_token)),
      "unknown client with Basic": () =>
        failing.token(
          { grant_type: "refresh_token", refresh_token },
          { Authorization: `Basic ${btoa("nobody:nothing")}` },
        ),
      "unknown grant type": () => failing.token({ grant_type: "password" }),
      "wrong content type": () =>
        failing.http("/access_token", { method: "POST", body: "{}" }),
      "too large a body": () => failing.token({ x: "x".repeat(20_000) }),
      "wrong method": () => failing.http("/access_token"),
    };
    for (const [name, request] of Object.entries(requests)) {
      const response = await request();
      expect([name, ...(await refusal(response.clone()))]).toEqual([
        name,
        500,
        "server_error",
        "configuration_malformed",
      ]);
      expect(response.headers.get("WWW-Authenticate")).toBeNull();
      expect(response.headers.get("Allow")).toBeNull();
      expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
    }
    await server.expectRefresh(client, refresh_token);
  });

  it("is reported to any origin, and before an endpoint that is off and a host that is not allowed", async () => {
    const failing = serverWith({
      PRIVATE_KEY: "-----BEGIN PRIVATE KEY-----",
      CORS_ORIGINS: "https://app.example.com",
      ALLOWED_HOSTS: "auth.example.com",
      LOGIN_URL: "",
    });
    const anyOrigin = { "/access_token": "*", "/authorize": null };
    for (const host of ["auth.example.com", "other.example.com"])
      for (const [path, origin] of Object.entries(anyOrigin)) {
        const response = await failing.fetch(
          new Request(`https://${host}${path}`),
        );
        const { headers } = response;
        expect(headers.get("Access-Control-Allow-Origin")).toBe(origin);
        expect(response.status).toBe(500);
        expect(reasonOf(response)).toBe("configuration_malformed");
      }
  });
});

describe("client and catalogue are read at the same time", () => {
  it("for the client's own token", async () => {
    const client = await server.makeClient({
      grant_types: ["client_credentials"],
    });
    const { keys, KV } = meetingKv(2);
    const response = await serverWith({ KV }).token({
      grant_type: "client_credentials",
      ...client,
    });
    expect(response.status).toBe(200);
    expect(keys).toEqual([`client:${client.client_id}`, CATALOGUES]);
  });

  it("for an authorization code", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const { keys, KV } = meetingKv(2);
    const response = await redeem(client, code, {}, serverWith({ KV }));
    expect(response.status).toBe(200);
    expect(keys).toEqual([`client:${client.client_id}`, CATALOGUES]);
  });

  it("for an authorization request, and for the sign-in page that decides it", async () => {
    const client = await makeWebClient();
    const asked = meetingKv(2);
    const response = await serverWith({ KV: asked.KV }).http(
      `/authorize?${authorizationQuery(client)}`,
      { redirect: "manual" },
    );
    const request = location(response).searchParams.get("request");
    expect(asked.keys).toEqual([`client:${client.client_id}`, CATALOGUES]);

    const decided = meetingKv(2);
    await serverWith({ KV: decided.KV }).expectAdmin(
      "POST",
      "/authorizations",
      {
        request,
        subject: "alice",
      },
    );
    expect(decided.keys).toEqual([`client:${client.client_id}`, CATALOGUES]);
  });
});

describe("a request that is refused", () => {
  it("costs no more reads of KV however often it is made", async () => {
    const client = await server.makeClient({
      grant_types: ["client_credentials", "refresh_token"],
    });
    const { refresh_token } = await server.login(client);
    const wrong = { ...client, client_secret: "wrong" };
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    for (let tries = 0; tries < 10; tries++) {
      await counted.token({ grant_type: "client_credentials", ...wrong });
      await counted.refresh(wrong, refresh_token);
    }
    vi.useRealTimers();
    expect(calls).toEqual({ family: 0, kvRead: 2, kvWrite: 0 });
  });
});

describe("what can be refused without storage", () => {
  it("at /authorize costs no read of KV", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    for (const query of ["", "client_id=%00", "client_id=a&client_id=b"])
      expect((await counted.http(`/authorize?${query}`)).status).toBe(400);
    expect(calls).toEqual({ family: 0, kvRead: 0, kvWrite: 0 });
  });

  it("of a forged code costs one read of KV, for the client", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const { calls, bindings } = countingBindings();
    const response = await redeem(
      client,
      forge(code),
      {},
      serverWith(bindings),
    );
    expect((await refusal(response))[1]).toBe("invalid_grant");
    expect(calls).toEqual({ family: 0, kvRead: 1, kvWrite: 0 });
  });

  it("of a forged request at the sign-in page's door costs none", async () => {
    const client = await makeWebClient();
    const request = await requestAtLogin(client);
    const { calls, bindings } = countingBindings();
    const response = await serverWith(bindings).admin(
      "POST",
      "/authorizations",
      {
        request: forge(request),
        subject: "alice",
      },
    );
    expect(response.status).toBe(400);
    expect(calls).toEqual({ family: 0, kvRead: 0, kvWrite: 0 });
  });
});
