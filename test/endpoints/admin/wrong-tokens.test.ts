import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MAX_PER_NETWORK } from "../../../src/oauth/guess-limit.ts";
import { listenToLog } from "../../support/log.ts";
import {
  countRefusals,
  refusal,
  serverWith,
  type TestServer,
} from "../../support/server.ts";

/** Wrong admin tokens are limited wherever they come from. */

const wrong = "401 invalid_token admin_token_wrong";
const limited = "429 temporarily_unavailable admin_tokens_limited";

/** The platform's rate limit lets every request pass, as it may across locations. */
const permissive = { limit: async () => ({ success: true }) };

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function isolate(): TestServer {
  listenToLog();
  return serverWith({
    GUESSES_PER_NETWORK: permissive,
    GUESSES_PER_SITE: permissive,
  });
}

function guess(
  server: TestServer,
  headers: Record<string, string>,
  token: string = crypto.randomUUID(),
): Promise<Response> {
  return server.http("/admin/scopes", {
    headers: { ...headers, Authorization: `Bearer ${token}` },
  });
}

describe("500 wrong admin tokens", () => {
  it.each<[string, Record<string, string>]>([
    ["of one network", { "CF-Connecting-IP": "192.0.2.1" }],
    [
      "of a loopback address, as on a local server",
      { "CF-Connecting-IP": "127.0.0.1" },
    ],
    ["of ::1", { "CF-Connecting-IP": "::1" }],
    ["of nobody knows where, as by a service binding", {}],
  ])("%s get 429 after 120, one after the other", async (_, headers) => {
    const server = isolate();
    const answers: Response[] = [];
    for (let sent = 0; sent < 500; sent++)
      answers.push(await guess(server, headers));
    expect(await countRefusals(answers)).toEqual({
      [wrong]: MAX_PER_NETWORK,
      [limited]: 500 - MAX_PER_NETWORK,
    });
  });

  it("get 429 after 120 also when they come all at once, and the right one does not slip through", async () => {
    const server = isolate();
    const sent = Array.from({ length: 500 }, () => guess(server, {}));
    const right = guess(server, {}, env.ADMIN_TOKEN);
    expect(await countRefusals(await Promise.all([...sent, right]))).toEqual({
      [wrong]: MAX_PER_NETWORK,
      [limited]: 501 - MAX_PER_NETWORK,
    });
  });

  it("with the form of a named token are limited in the same way, and by /health together with the admin API", async () => {
    const server = isolate();
    const random = () =>
      `baton_admin_${btoa(crypto.randomUUID()).slice(0, 43)}`;
    for (let sent = 0; sent < MAX_PER_NETWORK / 2; sent++) {
      expect((await guess(server, {}, random())).status).toBe(401);
      await env.KV.put("client:broken", "{}");
      expect((await server.health(random())).status).toBe(200);
    }
    await env.KV.delete("client:broken");
    expect((await refusal(await guess(server, {}, random()))).join(" ")).toBe(
      limited,
    );
  });

  it("keep the operator of another network in", async () => {
    const server = isolate();
    for (let sent = 0; sent <= MAX_PER_NETWORK; sent++) await guess(server, {});
    const elsewhere = { "CF-Connecting-IP": "198.51.100.7" };
    expect((await guess(server, elsewhere, env.ADMIN_TOKEN)).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    expect((await guess(server, {}, env.ADMIN_TOKEN)).status).toBe(200);
  });
});
