import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SubjectIndex } from "../../src/index.ts";
import { BUSY } from "../support/busy.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { grantIdOf, withStorage } from "../support/login-object.ts";
import {
  alarmOf,
  end,
  kept,
  makeOpenIdClient,
  openIdLogin,
} from "../support/logout.ts";
import type { OpenIdTokens } from "../support/openid.ts";
import { server } from "../support/server.ts";

/** Tests what the delivery of a logout token costs and shows, and what else it waits for. */

const ADDRESS = "https://rp.example.com/logout";

/** Answers a post. */
let answer: () => Promise<Response>;
let posts: number;
let lines: string[];

beforeEach(() => {
  posts = 0;
  answer = async () => new Response(null, { status: 200 });
  lines = listenToLog();
  vi.spyOn(globalThis, "fetch").mockImplementation(() => {
    posts += 1;
    return answer();
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Lists the logins that the index of the user has. */
function listed(): Promise<string[]> {
  const index = env.SUBJECT_INDEX;
  return index.get(index.idFromName("alice")).list(1000);
}

/** Counts the writes of the records of families from now on. */
async function countWrites(tokens: OpenIdTokens): Promise<() => number> {
  const put = await withStorage(tokens, (storage) =>
    // All objects share the prototype.
    vi.spyOn(Object.getPrototypeOf(storage.kv) as typeof storage.kv, "put"),
  );
  return () => put.mock.calls.filter(([key]) => key === "family").length;
}

describe("the end of a login", () => {
  it.each([
    ["whose client has no address", {}, "openid read"],
    ["whose client is told", { backchannel_logout_uri: ADDRESS }, "openid"],
    ["without openid", {}, "read"],
  ])("%s writes its record once", async (_, metadata, scope) => {
    const client = await makeOpenIdClient(metadata);
    const tokens = await openIdLogin(client, { scope });
    const writes = await countWrites(tokens);
    await end(tokens);
    await alarmOf(tokens);
    expect((await kept(tokens)).record).toBeUndefined();
    expect(posts).toBe("backchannel_logout_uri" in metadata ? 1 : 0);
    expect(writes()).toBe(1);
  });

  it("leaves the index of the user before the client has answered", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    answer = () => promise;
    const client = await makeOpenIdClient({ backchannel_logout_uri: ADDRESS });
    const tokens = await openIdLogin(client);
    await end(tokens);
    await vi.waitFor(async () => {
      expect(posts).toBe(1);
      expect(await listed()).not.toContain(grantIdOf(tokens));
    }, BUSY);
    expect((await kept(tokens)).record).toHaveProperty("logout");
    resolve(new Response(null, { status: 200 }));
    await vi.waitFor(
      async () => expect((await kept(tokens)).record).toBeUndefined(),
      BUSY,
    );
  });

  it("tells the client once if the index cannot be reached", async () => {
    vi.spyOn(SubjectIndex.prototype, "remove").mockImplementationOnce(
      async () => {
        throw new Error("out of reach");
      },
    );
    const client = await makeOpenIdClient({ backchannel_logout_uri: ADDRESS });
    const tokens = await openIdLogin(client);
    await end(tokens);
    await alarmOf(tokens);
    const { record, alarm } = await kept(tokens);
    expect(posts).toBe(1);
    expect(record).not.toHaveProperty("logout");
    expect(await listed()).toContain(grantIdOf(tokens));
    vi.useFakeTimers({ toFake: ["Date"], now: alarm! });
    await alarmOf(tokens);
    expect(posts).toBe(1);
    expect(await listed()).not.toContain(grantIdOf(tokens));
    expect((await kept(tokens)).record).toBeUndefined();
  });
});

describe("the log", () => {
  it.each([
    (uri: string) => uri,
    (uri: string) => new URL(uri).href,
    (uri: string) => decodeURIComponent(uri),
    (uri: string) => new URL(uri).search,
    (uri: string) => encodeURIComponent(uri),
  ])("has nothing of the address in any spelling: %s", async (spell) => {
    const backchannel_logout_uri =
      "HTTPS://RP.example.com/%6Cogout?key=%73ecret-7";
    const client = await makeOpenIdClient({ backchannel_logout_uri });
    answer = async () => {
      throw new TypeError(`cannot reach ${spell(backchannel_logout_uri)}`);
    };
    const tokens = await openIdLogin(client);
    lines.length = 0;
    await end(tokens);
    await alarmOf(tokens);
    const [failure] = parsedLog(lines).filter(
      ({ event }) => event === "backchannel_logout.failed",
    );
    expect(failure).toMatchObject({ error: "the request failed: TypeError" });
    expect(lines.join("\n")).not.toMatch(/ecret-7|rp\.example/i);
  });
});

describe("a server from whose catalogue openid was removed", () => {
  it("tells no client any more", async () => {
    const client = await makeOpenIdClient({ backchannel_logout_uri: ADDRESS });
    const tokens = await openIdLogin(client);
    await server.expectAdmin("DELETE", "/scopes/openid");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 120_000 });
    await end(tokens);
    await alarmOf(tokens);
    expect(posts).toBe(0);
    expect((await kept(tokens)).record).toBeUndefined();
    expect(parsedLog(lines).map(({ event }) => event)).not.toContain(
      "backchannel_logout.failed",
    );
  });
});
