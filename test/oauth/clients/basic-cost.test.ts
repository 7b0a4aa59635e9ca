import { afterEach, describe, expect, it, vi } from "vitest";
import { MAX_PER_NETWORK } from "../../../src/oauth/guess-limit.ts";
import {
  answer,
  attempt,
  authenticated,
  limited,
  raw,
  unknown,
  wrongSecret,
} from "../../support/basic.ts";
import { countingBindings } from "../../support/counting.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import {
  basic,
  server,
  serverWith,
  type TestServer,
} from "../../support/server.ts";

/**
 * HTTP Basic that can be read in two ways, form-decoded and as it stands: the work tells nobody which reading is
 * right, and each is a guess.
 */

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** An isolate that counts guesses by itself, and logs nothing about the missing rate limits. */
function isolate(): TestServer {
  listenToLog();
  return serverWith({
    GUESSES_PER_NETWORK: undefined,
    GUESSES_PER_SITE: undefined,
  });
}

describe("the cost of Basic that can be read in two ways", () => {
  const right = "a+secret+with+plus";

  /** Counts the hashes that a request makes. */
  async function hashesOf(send: () => Promise<unknown>): Promise<number> {
    const digest = vi.spyOn(crypto.subtle, "digest");
    await send();
    const { length } = digest.mock.calls;
    digest.mockRestore();
    return length;
  }

  it("is the same for both readings, and for a wrong secret and an unknown client", async () => {
    const { client_id } = await server.makeClient({ client_secret: right });
    const hashes = (header: string) => hashesOf(() => attempt(header));
    const asItStands = await hashes(raw(client_id, right));
    expect(asItStands).toBeGreaterThan(0);
    // The decoded pair fits, and the pair as it stands does not.
    expect(await hashes(basic(client_id, right))).toBe(asItStands);
    const wrong = await hashes(raw(client_id, "wrong+secret"));
    expect(await hashes(raw("nobody", "wrong+secret"))).toBe(wrong);
    expect(await hashes(raw(client_id, "also wrong%2E"))).toBe(wrong);
  });

  it("is one look at KV if the id is the same in both, and one for each id if not, known or unknown", async () => {
    await server.makeClient({ client_id: "kv+one", client_secret: right });
    const lookUps = async (id: string, secret: string) => {
      const { calls, bindings } = countingBindings();
      const to = serverWith(bindings);
      await attempt(raw(id, secret), {}, { to });
      return calls.kvRead;
    };
    const { client_id } = await server.makeClient({ client_secret: right });
    expect(await lookUps(client_id, right)).toBe(1);
    expect(await lookUps(client_id, "wrong+secret")).toBe(1);
    expect(await lookUps("nobody", "wrong+secret")).toBe(1);
    expect(await lookUps("kv+one", right)).toBe(2);
    expect(await lookUps("kv+one", "wrong+secret")).toBe(2);
    expect(await lookUps("no+body", "wrong+secret")).toBe(2);
  });

  it("is at most one more look at KV per second and id", async () => {
    await server.makeClient({ client_id: "again+one", client_secret: right });
    const { calls, bindings } = countingBindings();
    const to = serverWith(bindings);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const wrong = raw("again+one", "wrong+secret");
    for (let tries = 0; tries < 20; tries++) await attempt(wrong, {}, { to });
    expect(calls.kvRead).toBe(2);
    vi.advanceTimersByTime(1000);
    for (let tries = 0; tries < 20; tries++) await attempt(wrong, {}, { to });
    expect(calls.kvRead).toBe(4);
  });

  it("lets a new client in at once, in both readings", async () => {
    const one = serverWith({});
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const header = raw("new+client", right);
    expect(await answer(header, {}, { to: one })).toEqual(unknown);
    await server.makeClient({ client_id: "new+client", client_secret: right });
    vi.advanceTimersByTime(1000);
    expect(await answer(header, {}, { to: one })).toEqual(authenticated);
  });

  it("does not show in the log which reading was right", async () => {
    const { client_id } = await server.makeClient({ client_secret: right });
    const lines = listenToLog();
    await attempt(raw(client_id, right));
    await attempt(basic(client_id, right));
    const [asItStands, decoded] = parsedLog(lines);
    const own = {
      request_id: expect.any(String),
      duration_ms: expect.any(Number),
      durations_ms: expect.anything(),
    };
    expect(asItStands).toEqual({ ...decoded, ...own });
    expect(lines.join()).not.toContain(right);
  });
});

describe("a request with an empty password", () => {
  it("guesses nothing, so it neither counts nor is limited", async () => {
    const to = isolate();
    const client = await server.makeClient({});
    const { client_id, client_secret } = client;
    const from = { to, address: "192.0.2.1" };
    for (let sent = 0; sent <= MAX_PER_NETWORK; sent++)
      expect((await attempt(basic(client_id, ""), {}, from)).status).toBe(401);
    const right = basic(client_id, client_secret);
    expect(await answer(right, {}, from)).toEqual(authenticated);
  });
});

describe("wrong guesses by Basic that can be read in two ways", () => {
  it("count twice, because two secrets are tried", async () => {
    const to = isolate();
    const { client_id, client_secret } = await server.makeClient({});
    const from = { to, address: "192.0.2.2" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent += 2)
      expect(await answer(raw(client_id, "wrong+secret"), {}, from)).toEqual(
        wrongSecret,
      );
    expect(await answer(basic(client_id, client_secret), {}, from)).toEqual(
      limited,
    );
  });

  it("never exceed the limit by one: the last single guess is left for a single secret", async () => {
    const to = isolate();
    const { client_id } = await server.makeClient({});
    const from = { to, address: "192.0.2.3" };
    for (let sent = 0; sent < MAX_PER_NETWORK - 1; sent++)
      await attempt(raw(client_id, "wrong"), {}, from);
    expect(await answer(raw(client_id, "wrong+secret"), {}, from)).toEqual(
      limited,
    );
    expect(await answer(raw(client_id, "wrong"), {}, from)).toEqual(
      wrongSecret,
    );
    expect(await answer(raw(client_id, "wrong"), {}, from)).toEqual(limited);
  });

  it("are limited when they come all at once, too", async () => {
    const to = isolate();
    const { client_id } = await server.makeClient({});
    const from = { to, address: "192.0.2.4" };
    const answers = await Promise.all(
      Array.from({ length: MAX_PER_NETWORK }, () =>
        attempt(raw(client_id, "wrong+secret"), {}, from),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(
      MAX_PER_NETWORK / 2,
    );
  });

  it("count for both clients, so that neither id is a way around the limit of the other", async () => {
    const to = isolate();
    const plus = await server.makeClient({ client_id: "guessed+app" });
    const spaced = await server.makeClient({ client_id: "guessed app" });
    const from = { to, address: "192.0.2.5" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      expect(await answer(raw("guessed+app", "wrong"), {}, from)).toEqual(
        wrongSecret,
      );
    for (const { client_id, client_secret } of [plus, spaced]) {
      expect(await answer(basic(client_id, client_secret), {}, from)).toEqual(
        limited,
      );
      const { to: _, ...elsewhere } = from;
      expect(
        await answer(basic(client_id, client_secret), {}, elsewhere),
      ).toEqual(authenticated);
    }
  });

  it("are limited by either id, also where only one of the two clients exists", async () => {
    const to = isolate();
    await server.makeClient({ client_id: "lone+app" });
    const from = { to, address: "192.0.2.6" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await attempt(basic("lone+app", "wrong"), {}, from);
    expect(await answer(raw("lone+app", "wrong"), {}, from)).toEqual(limited);
  });

  it("do not count for an id that no client can have", async () => {
    const to = isolate();
    const client_id = "app%C3%BC";
    const { client_secret } = await server.makeClient({ client_id });
    const from = { to, address: "192.0.2.7" };
    for (let sent = 0; sent < MAX_PER_NETWORK; sent++)
      await attempt(raw("ümlaut", "wrong"), {}, from);
    expect(await answer(raw("ümlaut", "wrong"), {}, from)).toEqual(limited);
    expect(await answer(raw(client_id, client_secret), {}, from)).toEqual(
      authenticated,
    );
  });

  it("do not count if one reading is right", async () => {
    const to = isolate();
    const client_secret = "a+secret+with+plus";
    const { client_id } = await server.makeClient({ client_secret });
    const from = { to, address: "192.0.2.8" };
    for (let sent = 0; sent <= MAX_PER_NETWORK; sent++)
      expect(await answer(raw(client_id, client_secret), {}, from)).toEqual(
        authenticated,
      );
  });
});
