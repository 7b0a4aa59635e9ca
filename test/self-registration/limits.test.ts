import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  agent,
  manage,
  postRegistration,
  register,
} from "../support/registration.ts";
import { countRefusals, refusal, serverWith } from "../support/server.ts";

/** Registrations are limited per network and per day, and a missing binding harms nothing else. */

const NETWORK = { "CF-Connecting-IP": "192.0.2.44" };
const NOON = Date.UTC(2031, 4, 20, 12);

const counter = env.REGISTRATION_COUNTER.get(
  env.REGISTRATION_COUNTER.idFromName("registrations"),
);

beforeEach(async () => {
  await runInDurableObject(counter, (_, { storage }) => storage.deleteAll());
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A rate limit that lets a number of calls of each key through. */
function limitOf(max: number) {
  const counts = new Map<string, number>();
  return {
    async limit({ key }: { key: string }) {
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return { success: count <= max };
    },
  };
}

function openServer(more: Record<string, unknown> = {}) {
  return serverWith({ DYNAMIC_REGISTRATION: "open", ...more });
}

/** Fixes the date, so that no test runs over midnight. */
function fixDate(now: number) {
  vi.useFakeTimers({ toFake: ["Date"], now });
}

describe("the limit per network", () => {
  it("refuses a storm with 429 and Retry-After, and other networks go on", async () => {
    const own = openServer({ REGISTRATIONS_PER_NETWORK: limitOf(3) });
    const responses = await Promise.all(
      Array.from({ length: 8 }, () => postRegistration(own, agent, NETWORK)),
    );
    const refused = responses.filter(({ status }) => status !== 201);
    for (const { headers } of refused)
      expect(headers.get("Retry-After")).toBe("60");
    expect(await countRefusals(refused)).toEqual({
      "429 temporarily_unavailable registrations_limited": 5,
    });
    const others = { "CF-Connecting-IP": "192.0.2.45" };
    expect((await postRegistration(own, agent, others)).status).toBe(201);
  });

  it("counts the networks of an IPv6 site as one, and other sites go on", async () => {
    const own = openServer({ REGISTRATIONS_PER_NETWORK: limitOf(2) });
    const statuses: number[] = [];
    for (const address of [
      "2001:db8:1:1::1",
      "2001:db8:1:2::1",
      "2001:db8:1:ffff::1",
      "2001:db8:2:1::1",
    ]) {
      const headers = { "CF-Connecting-IP": address };
      statuses.push((await postRegistration(own, agent, headers)).status);
    }
    expect(statuses).toEqual([201, 201, 429, 201]);
  });

  it("counts changes of a registration, and no refused ones", async () => {
    const own = openServer({ REGISTRATIONS_PER_NETWORK: limitOf(1) });
    const client = await register(own);
    const put = (redirect_uris: string[]) =>
      own.http(`/register/${client.client_id}`, {
        method: "PUT",
        headers: {
          ...NETWORK,
          Authorization: `Bearer ${client.registration_access_token}`,
          "Content-Type": "application/json",
        },
        body: JSON.stringify({
          ...agent,
          redirect_uris,
          client_id: client.client_id,
        }),
      });
    const statuses: number[] = [];
    for (const uri of [
      "http://agent.example/",
      "app.example:/a",
      "app.example:/b",
    ])
      statuses.push((await put([uri])).status);
    expect(statuses).toEqual([400, 200, 429]);
  });

  it("that does not answer leaves the bound of the day", async () => {
    const log = listenToLog();
    const own = openServer({
      REGISTRATIONS_PER_NETWORK: {
        limit: () => Promise.reject(new Error("no answer")),
      },
    });
    expect((await postRegistration(own, agent, NETWORK)).status).toBe(201);
    expect(parsedLog(log)).toContainEqual(
      expect.objectContaining({ event: "guess_limit.unreachable" }),
    );
  });
});

describe("the bound of a day", () => {
  it("holds exactly, however many registrations come at once, and the next day is free", async () => {
    fixDate(NOON);
    const own = openServer({ REGISTRATIONS_PER_DAY: "5" });
    const responses = await Promise.all(
      Array.from({ length: 9 }, () => postRegistration(own, agent)),
    );
    const refused = responses.filter(({ status }) => status !== 201);
    for (const { headers } of refused)
      expect(headers.get("Retry-After")).toBe(String(12 * 60 * 60));
    expect(await countRefusals(refused)).toEqual({
      "503 temporarily_unavailable registrations_used_up": 4,
    });
    vi.setSystemTime(NOON + 12 * 60 * 60 * 1000);
    expect((await postRegistration(own, agent)).status).toBe(201);
  });

  it("is not used up by refused registrations", async () => {
    fixDate(NOON);
    const own = openServer({ REGISTRATIONS_PER_DAY: "1" });
    for (const body of ["{", "{}", { ...agent, client_name: 1 }])
      expect((await postRegistration(own, body)).status).toBe(400);
    expect((await postRegistration(own, agent)).status).toBe(201);
  });

  it("leaves nothing in storage when the day is over", async () => {
    fixDate(NOON);
    const own = openServer();
    await register(own);
    const size = () =>
      runInDurableObject(counter, async (_, { storage }) => [
        (await storage.list()).size,
        await storage.getAlarm(),
      ]);
    const midnight = NOON + 12 * 60 * 60 * 1000;
    expect(await size()).toEqual([1, midnight]);
    // An alarm that comes too early deletes nothing.
    await runDurableObjectAlarm(counter);
    expect(await size()).toEqual([1, midnight]);
    vi.setSystemTime(midnight);
    await runDurableObjectAlarm(counter);
    expect(await size()).toEqual([0, null]);
  });
});

describe("a server whose configuration is older than the bindings", () => {
  const bare = {
    REGISTRATION_COUNTER: undefined,
    REGISTRATIONS_PER_NETWORK: undefined,
  };
  const missing = [
    {
      name: "REGISTRATION_COUNTER",
      problem: expect.stringContaining("no client can register") as unknown,
    },
    {
      name: "REGISTRATIONS_PER_NETWORK",
      problem: expect.stringContaining("one network") as unknown,
    },
  ];

  it("works, and says nothing while nobody may register", async () => {
    const own = serverWith(bare);
    expect(await (await own.health()).json()).toEqual({ status: "ok" });
    const client = await own.makeClient();
    const { refresh_token } = await own.login(client);
    await own.expectRefresh(client, refresh_token);
  });

  it("refuses registrations and says what is missing, in the error, in /health and to doctor", async () => {
    const own = openServer(bare);
    const response = await postRegistration(own, agent);
    const { error_description } = await response
      .clone()
      .json<{ error_description: string }>();
    expect(error_description).toContain("REGISTRATION_COUNTER");
    expect(error_description).toContain("setup --update");
    expect(await refusal(response)).toEqual([
      500,
      "server_error",
      "registration_not_bound",
    ]);
    const health = await own.health();
    expect(health.status).toBe(200);
    expect(await health.json()).toEqual({
      status: "degraded",
      problems: missing,
    });
    const { checks } = await own.expectAdmin<{
      checks: { name: string; problem?: string }[];
    }>("POST", "/doctor");
    expect(
      checks.filter(({ name }) => name.startsWith("REGISTRATION")),
    ).toMatchObject(missing.toReversed());
    const client = await own.makeClient();
    const { refresh_token } = await own.login(client);
    await own.expectRefresh(client, refresh_token);
  });

  it("registers without the limit per network, and /health says so", async () => {
    const own = openServer({ REGISTRATIONS_PER_NETWORK: undefined });
    const client = await register(own);
    const { registration_access_token: token } = client;
    expect((await manage(own, client, token, "GET")).status).toBe(200);
    expect(await (await own.health()).json()).toEqual({
      status: "degraded",
      problems: [missing[1]],
    });
  });

  it("has nothing to say when both are there, and doctor tries them", async () => {
    const own = openServer();
    expect(await (await own.health()).json()).toEqual({ status: "ok" });
    const { checks } = await own.expectAdmin<{
      checks: { name: string; problem?: string }[];
    }>("POST", "/doctor");
    const tried = checks.filter(({ name }) => name.startsWith("REGISTRATION"));
    expect(tried.map(({ name, problem }) => [name, problem])).toEqual([
      ["REGISTRATIONS_PER_NETWORK", undefined],
      ["REGISTRATION_COUNTER", undefined],
    ]);
  });
});
