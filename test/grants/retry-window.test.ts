import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import { fieldErrors } from "../support/admin.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { keepRequestLine } from "../support/request-lines.ts";
import { refusal, server, serverWith, type Tokens } from "../support/server.ts";

/** Tests the retry window: a used token gets the same successor while the successor has not been used. */

const T0 = 1_800_000_000_000;

beforeAll(() => server.makeScopes("read", "write"));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
});

afterEach(() => {
  vi.useRealTimers();
});

async function login(metadata: Record<string, unknown> = {}) {
  const client = await server.makeClient({
    scope: "read write",
    resources: ["https://a.example.com", "https://b.example.com"],
    refresh_token_retry_window: "PT30S",
    ...metadata,
  });
  return { client, first: (await server.login(client)).refresh_token };
}

describe("inside the retry window,", () => {
  it("a used token gets the same successor and a new access token", async () => {
    const { client, first } = await login();
    const answer = await server.expectRefresh(client, first);
    vi.setSystemTime(T0 + 29_000);
    const again = await server.expectRefresh(client, first);
    expect(again.refresh_token).toBe(answer.refresh_token);
    expect(again.access_token).not.toBe(answer.access_token);
    expect(again.scope).toBe(answer.scope);
    expect(decodeJwt(again.access_token).iat).toBe(T0 / 1000 + 29);
    await server.expectRefresh(client, again.refresh_token);
  });

  it("a token may be retried any number of times, and a retry does not lengthen the window", async () => {
    const { client, first } = await login();
    const { refresh_token } = await server.expectRefresh(client, first);
    for (const seconds of [10, 20, 29]) {
      vi.setSystemTime(T0 + seconds * 1000);
      expect((await server.expectRefresh(client, first)).refresh_token).toBe(
        refresh_token,
      );
    }
    vi.setSystemTime(T0 + 30_000);
    expect(await refusal(await server.refresh(client, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    expect(await refusal(await server.refresh(client, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("fifty parallel exchanges get fifty responses with one successor, which can be exchanged once", async () => {
    const { client, first } = await login();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => server.expectRefresh(client, first)),
    );
    const successors = new Set(
      answers.map(({ refresh_token }) => refresh_token),
    );
    expect(successors.size).toBe(1);
    expect(new Set(answers.map(({ access_token }) => access_token)).size).toBe(
      50,
    );
    const [successor = ""] = successors;
    await server.expectRefresh(client, successor);
    expect(await refusal(await server.refresh(client, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
  });

  it("a used token is a replay as soon as its successor was used", async () => {
    const { client, first } = await login();
    const second = await server.expectRefresh(client, first);
    const third = await server.expectRefresh(client, second.refresh_token);
    expect(await refusal(await server.refresh(client, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
    expect(
      await refusal(await server.refresh(client, third.refresh_token)),
    ).toEqual([400, "invalid_grant", "family_ended"]);
  });

  it.each<[string, Record<string, string>, object]>([
    ["fewer scopes", { scope: "read" }, { scope: "read" }],
    ["the scopes in another order", { scope: "write read" }, {}],
    ["a resource", { resource: "https://a.example.com" }, {}],
  ])(
    "a retry with %s gets the one successor, and an access token for what it asks",
    async (_, more, answer) => {
      const { client, first } = await login();
      const { refresh_token } = await server.expectRefresh(client, first);
      const again = await server.expectRefresh(client, first, more);
      expect(again).toMatchObject({ refresh_token, ...answer });
      const { aud } = decodeJwt(again.access_token);
      expect(aud).toBe(more["resource"] ?? "https://auth.example.com");
      const next = await server.expectRefresh(client, refresh_token);
      expect(next.scope).toBe("read write");
    },
  );

  it.each<[string, Record<string, string>, string, string]>([
    [
      "too many scopes",
      { scope: "read write admin" },
      "invalid_scope",
      "scope_not_granted",
    ],
    [
      "a malformed scope",
      { scope: "read\twrite" },
      "invalid_scope",
      "scope_malformed",
    ],
    [
      "a wrong resource",
      { resource: "https://evil.example.com" },
      "invalid_target",
      "resource_not_allowed",
    ],
  ])(
    "a retry with %s is refused as an unused token is, and the family lives",
    async (_, more, error, reason) => {
      const { client, first } = await login();
      const unused = await server.refresh(client, first, more);
      expect(await refusal(unused)).toEqual([400, error, reason]);
      const { refresh_token } = await server.expectRefresh(client, first);
      const retry = await server.refresh(client, first, more);
      expect(await refusal(retry)).toEqual([400, error, reason]);
      expect((await server.expectRefresh(client, first)).refresh_token).toBe(
        refresh_token,
      );
      await server.expectRefresh(client, refresh_token);
    },
  );

  it("a thief who refreshes first with fewer scopes does not keep the login from its owner", async () => {
    const { client, first } = await login();
    const stolen = await server.expectRefresh(client, first, { scope: "read" });
    // The owner, who asks for nothing by name, gets the same successor as the thief.
    const owner = await server.expectRefresh(client, first);
    expect(owner).toMatchObject({
      refresh_token: stolen.refresh_token,
      scope: "read write",
    });
    // So the second of the two who goes on presents a used token, and the login ends.
    await server.expectRefresh(client, stolen.refresh_token);
    vi.setSystemTime(T0 + 31_000);
    expect(
      await refusal(await server.refresh(client, owner.refresh_token)),
    ).toEqual([400, "invalid_grant", "refresh_token_reused"]);
  });

  it.each<[string, Record<string, string>, object]>([
    [
      "from the same place",
      { "CF-Connecting-IP": "192.0.2.1", "User-Agent": "app" },
      { network_differs: false, user_agent_differs: false },
    ],
    [
      "from another network",
      { "CF-Connecting-IP": "198.51.100.7", "User-Agent": "app" },
      { network_differs: true, user_agent_differs: false },
    ],
    [
      "by another user agent",
      { "CF-Connecting-IP": "192.0.2.1", "User-Agent": "curl" },
      { network_differs: false, user_agent_differs: true },
    ],
  ])(
    "a retry %s is an event of its own in the log",
    async (_, headers, differs) => {
      const { client, first } = await login();
      const refresh = (headers: Record<string, string>) =>
        server.token(
          {
            grant_type: "refresh_token",
            refresh_token: first,
            client_id: client.client_id,
            client_secret: client.client_secret,
          },
          headers,
        );
      const here = { "CF-Connecting-IP": "192.0.2.1", "User-Agent": "app" };
      expect((await refresh(here)).status).toBe(200);
      vi.setSystemTime(T0 + 12_000);
      const lines = listenToLog();
      const retry = await refresh(headers);
      vi.restoreAllMocks();
      expect(retry.status).toBe(200);
      expect(parsedLog(lines)).toContainEqual({
        event: "refresh_token.retried",
        event_id: expect.any(String) as string,
        time: Math.floor(T0 / 1000) + 12,
        network: expect.any(String) as string,
        user_agent: expect.any(String) as string,
        subject: "alice",
        grant_id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        generation: 1,
        seconds_since_exchange: 12,
        ...differs,
        client_id: client.client_id,
        request_id: retry.headers.get("X-Request-Id"),
      });
    },
  );

  it("the successor is the same string also where ENCRYPTION_KEY was rotated in between", async () => {
    const { client, first } = await login();
    const answer = await server.expectRefresh(client, first);
    const newer = Buffer.from(
      crypto.getRandomValues(new Uint8Array(32)),
    ).toString("base64");
    const rotated = serverWith({
      ENCRYPTION_KEY: `${newer},${env.ENCRYPTION_KEY}`,
    });
    const again = await rotated.expectRefresh(client, first);
    expect(again.refresh_token).toBe(answer.refresh_token);
    await rotated.expectRefresh(client, again.refresh_token);
  });

  it("another client's retry is refused and does not harm the family", async () => {
    const { client, first } = await login();
    const { refresh_token } = await server.expectRefresh(client, first);
    const { client: thief } = await login();
    expect(await refusal(await server.refresh(thief, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_client",
    ]);
    await server.expectRefresh(client, refresh_token);
  });
});

describe("the retry window", () => {
  it("is measured when the whole request has arrived, so that a delayed body does not lengthen it", async () => {
    const { client, first } = await login();
    await server.expectRefresh(client, first);
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: first,
      client_id: client.client_id,
      client_secret: client.client_secret,
    });
    const { readable, writable } = new IdentityTransformStream();
    const writer = writable.getWriter();
    const answer = server.http("/access_token", {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: readable,
    });
    await writer.write(new TextEncoder().encode("x=1&"));
    vi.setSystemTime(T0 + 31_000);
    await writer.write(new TextEncoder().encode(form.toString()));
    await writer.close();
    expect(await refusal(await answer)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
  });

  it("is off by default: the client is strict", async () => {
    const client = await server.makeClient();
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    expect(
      await refusal(await server.refresh(client, first.refresh_token)),
    ).toEqual([400, "invalid_grant", "refresh_token_reused"]);
    expect(
      await refusal(await server.refresh(client, second.refresh_token)),
    ).toEqual([400, "invalid_grant", "family_ended"]);
  });

  it("is off with PT0S, even if the clocks of two locations differ", async () => {
    const { client, first } = await login({
      refresh_token_retry_window: "PT0S",
    });
    await server.expectRefresh(client, first);
    vi.setSystemTime(T0 - 2000);
    expect(await refusal(await server.refresh(client, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
  });

  it("is set by REFRESH_TOKEN_RETRY_WINDOW, and a client's record overrides it", async () => {
    const withWindow = serverWith({ REFRESH_TOKEN_RETRY_WINDOW: "PT1M" });
    const client = await withWindow.makeClient();
    const { refresh_token } = await withWindow.login(client);
    const answer = await withWindow.expectRefresh(client, refresh_token);
    vi.setSystemTime(T0 + 59_000);
    const again = await withWindow.expectRefresh(client, refresh_token);
    expect(again.refresh_token).toBe(answer.refresh_token);
    const strict = await withWindow.makeClient({
      refresh_token_retry_window: "PT0S",
    });
    const first = await withWindow.login(strict);
    await withWindow.expectRefresh(strict, first.refresh_token);
    expect(
      await refusal(await withWindow.refresh(strict, first.refresh_token)),
    ).toEqual([400, "invalid_grant", "refresh_token_reused"]);
  });

  it.each(["PT1H1S", "PT61M", "P1D", "P1Y"])(
    "is at most an hour where a client is saved: %s is refused",
    async (refresh_token_retry_window) => {
      const fields = { refresh_token_retry_window };
      const { client } = await login();
      const path = `/clients/${client.client_id}`;
      for (const response of [
        await server.admin("POST", "/clients", fields),
        await server.admin("PATCH", path, fields),
      ])
        expect(await fieldErrors(response)).toEqual({
          refresh_token_retry_window: expect.stringContaining("PT1H") as string,
        });
    },
  );

  it.each(["PT1H", "PT60M", "PT3600S"])("may be %s", async (window) => {
    const { client, first } = await login({
      refresh_token_retry_window: window,
    });
    const { refresh_token } = await server.expectRefresh(client, first);
    vi.setSystemTime(T0 + 3_599_000);
    const again = await server.expectRefresh(client, first);
    expect(again.refresh_token).toBe(refresh_token);
  });

  it("counts as an hour where a record has a longer one", async () => {
    const { client, first } = await login();
    const key = `client:${client.client_id}`;
    const record = await env.KV.get<object>(key, "json");
    const longer = { ...record, refresh_token_retry_window: "P1D" };
    await env.KV.put(key, JSON.stringify(longer));
    vi.setSystemTime(T0 + 61_000);
    const { refresh_token } = await server.expectRefresh(client, first);
    vi.setSystemTime(T0 + 61_000 + 3_599_000);
    const again = await server.expectRefresh(client, first);
    expect(again.refresh_token).toBe(refresh_token);
    vi.setSystemTime(T0 + 61_000 + 3_600_000);
    expect(await refusal(await server.refresh(client, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_reused",
    ]);
  });

  it("must not be longer than the lifetime of the token when a client is saved", async () => {
    for (const fields of [
      { refresh_token_retry_window: "PT1H", refresh_token_ttl: "PT30M" },
      { refresh_token_retry_window: "PT1H", refresh_token_max_age: "PT30M" },
    ]) {
      const response = await server.admin("POST", "/clients", fields);
      expect(Object.keys(await fieldErrors(response))).toEqual([
        "refresh_token_retry_window",
      ]);
    }
    const { client } = await login();
    const response = await server.admin(
      "PATCH",
      `/clients/${client.client_id}`,
      {
        refresh_token_ttl: "PT10S",
      },
    );
    expect(Object.keys(await fieldErrors(response))).toEqual([
      "refresh_token_retry_window",
    ]);
  });
});

describe("a used token", () => {
  async function loggedReuse(act: () => Promise<unknown>) {
    const log = vi.spyOn(console, "log").mockImplementation(keepRequestLine);
    await act();
    const line = JSON.parse(String(log.mock.calls.at(-1)?.[0])) as Record<
      string,
      unknown
    >;
    log.mockRestore();
    return line;
  }

  it("outside of the window is logged as a late retry if its successor has not been used", async () => {
    const { client, first } = await login();
    await server.expectRefresh(client, first);
    vi.setSystemTime(T0 + 45_000);
    const line = await loggedReuse(() => server.refresh(client, first));
    expect(line).toMatchObject({
      client_id: client.client_id,
      reason: "refresh_token_reused",
      reuse: {
        generation: 1,
        newest_generation: 2,
        seconds_since_exchange: 45,
        looks_like: "late_retry",
      },
    });
  });

  it("is logged as theft if its successor was used", async () => {
    const { client, first } = await login();
    const second: Tokens = await server.expectRefresh(client, first);
    await server.expectRefresh(client, second.refresh_token);
    const line = await loggedReuse(() => server.refresh(client, first));
    expect(line).toMatchObject({
      client_id: client.client_id,
      reuse: { generation: 1, newest_generation: 3, looks_like: "theft" },
    });
  });

  it("inside the window is logged as a retry", async () => {
    const { client, first } = await login();
    await server.expectRefresh(client, first);
    const line = await loggedReuse(() => server.refresh(client, first));
    expect(line).toMatchObject({ outcome: "ok", retried: true });
  });
});
