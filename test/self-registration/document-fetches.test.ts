import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  AgentSite,
  begin,
  DOCUMENTS_ON,
  isFound,
  whyNot,
} from "../support/agent-site.ts";
import { BUSY } from "../support/busy.ts";
import { shown } from "../support/refusals.ts";
import { refusal, serverWith, TestServer } from "../support/server.ts";

/** How often metadata documents are fetched. */

const DAY = 24 * 3600;

/** Lets time go by, in seconds. */
function pass(seconds: number): void {
  const then = Date.now() + seconds * 1000;
  vi.spyOn(Date, "now").mockReturnValue(then);
}

let server: TestServer;
let agent: AgentSite;

beforeEach(() => {
  server = serverWith(DOCUMENTS_ON);
  agent = new AgentSite();
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a metadata document is fetched", () => {
  it("once for 20 requests at the same time", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    agent.answer = async () => {
      await promise;
      return agent.serve();
    };
    const responses = Array.from({ length: 20 }, () => begin(server, agent));
    await vi.waitFor(() => expect(agent.fetched).toHaveLength(1), BUSY);
    resolve();
    for (const response of await Promise.all(responses))
      expect(isFound(response)).toBe(true);
    expect(agent.fetched).toHaveLength(1);
  });

  it("once for 20 requests at the same time, if it cannot be read", async () => {
    agent.answer = () => agent.serve({}, {}, 404);
    const responses = Array.from({ length: 20 }, () => begin(server, agent));
    for (const response of await Promise.all(responses))
      expect((await whyNot(response))[0]).toBe("metadata_document_invalid");
    expect(agent.fetched).toHaveLength(1);
  });

  it("again 10 seconds after a failure, and not before", async () => {
    agent.answer = () => agent.serve({}, {}, 404);
    await begin(server, agent);
    agent.answer = () => agent.serve();
    pass(9);
    expect((await whyNot(await begin(server, agent)))[0]).toBe(
      "metadata_document_invalid",
    );
    vi.restoreAllMocks();
    const mended = new AgentSite(agent.client_id);
    pass(11);
    expect(isFound(await begin(server, agent))).toBe(true);
    expect(mended.fetched).toHaveLength(1);
  });

  it.each<[string, Record<string, string>, number, number]>([
    ["without headers: after an hour", {}, 3590, 3610],
    [
      "max-age within the bounds",
      { "Cache-Control": "public, max-age=7200" },
      7190,
      7210,
    ],
    [
      "max-age less Age",
      { "Cache-Control": "max-age=7200", Age: "3600" },
      3590,
      3610,
    ],
    [
      "max-age 0: after five minutes",
      { "Cache-Control": "max-age=0" },
      290,
      310,
    ],
    ["max-age without a number", { "Cache-Control": "max-age=x" }, 290, 310],
    [
      "no-store: after five minutes",
      { "Cache-Control": "no-store, max-age=7200" },
      290,
      310,
    ],
    ["no-cache: after five minutes", { "Cache-Control": "no-cache" }, 290, 310],
    [
      "the shorter of two",
      { "Cache-Control": "max-age=7200, max-age=600" },
      590,
      610,
    ],
    [
      "a year: after a day",
      { "Cache-Control": "max-age=31536000" },
      DAY - 10,
      DAY + 10,
    ],
    [
      "a number beyond all bounds",
      { "Cache-Control": `max-age=${"9".repeat(400)}` },
      DAY - 10,
      DAY + 10,
    ],
    [
      "Expires, by the clock of the site",
      {
        Expires: "Thu, 01 Jan 2026 02:00:00 GMT",
        Date: "Thu, 01 Jan 2026 00:00:00 GMT",
      },
      7190,
      7210,
    ],
    ["Expires that is not a date", { Expires: "0" }, 290, 310],
    [
      "numbers beyond all bounds whose difference is not a number",
      { "Cache-Control": `max-age=${"9".repeat(400)}`, Age: "Infinity" },
      290,
      310,
    ],
  ])("%s", async (_, headers, before, after) => {
    agent.answer = () => agent.serve(agent.document, headers);
    const start = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(start);
    await begin(server, agent);
    clock.mockReturnValue(start + before * 1000);
    expect(isFound(await begin(server, agent))).toBe(true);
    expect(agent.fetched).toHaveLength(1);
    clock.mockReturnValue(start + after * 1000);
    expect(isFound(await begin(server, agent))).toBe(true);
    expect(agent.fetched).toHaveLength(2);
  });

  it("again when it is old, and the copy of the last day is used if its site is down, and no longer", async () => {
    const start = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(start);
    await begin(server, agent);
    agent.goDown();
    clock.mockReturnValue(start + (DAY - 60) * 1000);
    expect(isFound(await begin(server, agent))).toBe(true);
    clock.mockReturnValue(start + (DAY + 60) * 1000);
    expect((await whyNot(await begin(server, agent)))[0]).toBe(
      "metadata_document_unreachable",
    );
  });

  it("again when it is old, and a client that its site has withdrawn is refused", async () => {
    const start = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(start);
    await begin(server, agent);
    agent.answer = () => agent.serve({}, {}, 410);
    clock.mockReturnValue(start + 3_610_000);
    expect((await whyNot(await begin(server, agent)))[0]).toBe(
      "metadata_document_invalid",
    );
  });

  it("again, and a client that its site has withdrawn does not come back when the site is down", async () => {
    const start = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(start);
    await begin(server, agent);
    agent.answer = () => agent.serve({}, {}, 410);
    clock.mockReturnValue(start + 3_610_000);
    await begin(server, agent);
    agent.goDown();
    clock.mockReturnValue(start + 3_621_000);
    expect((await whyNot(await begin(server, agent)))[0]).toBe(
      "metadata_document_unreachable",
    );
  });

  it("for no more than 120 wrong URLs per minute and network at the end session endpoint either", async () => {
    await server.makeScopes("openid");
    const own = serverWith({
      ...DOCUMENTS_ON,
      LOGOUT_URL: "https://login.example.com/sign-out",
    });
    agent.answer = () => agent.serve({}, {}, 404);
    const knock = (n: number) =>
      own.http(`/end_session?client_id=https://victim.example/${n}`, {
        headers: { "CF-Connecting-IP": "192.0.2.93" },
      });
    await Promise.all(Array.from({ length: 130 }, (_, n) => knock(n)));
    expect(agent.fetched).toHaveLength(120);
    const [status, error, reason] = await shown(await knock(130));
    expect([status, error, reason]).toEqual([
      429,
      "temporarily_unavailable",
      "metadata_documents_limited",
    ]);
  });

  it("for no more than 120 wrong URLs per minute and network", async () => {
    agent.answer = () => agent.serve({}, {}, 404);
    const from = (network: string) =>
      new TestServer((request) => {
        const own = new Request(request);
        own.headers.set("CF-Connecting-IP", network);
        return server.fetch(own);
      });
    const knock = (n: number, at: TestServer) =>
      n % 2 === 0
        ? begin(at, { client_id: `https://victim.example/${n}` })
        : at.refresh({ client_id: `https://victim.example/${n}` }, "x");
    const stranger = from("192.0.2.91");
    await Promise.all(
      Array.from({ length: 130 }, (_, n) => knock(n, stranger)),
    );
    expect(agent.fetched.length).toBeLessThanOrEqual(120);
    const response = await stranger.refresh(
      { client_id: "https://victim.example/x" },
      "x",
    );
    expect(response.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(await refusal(response)).toEqual([
      429,
      "temporarily_unavailable",
      "metadata_documents_limited",
    ]);
    const [status, error, reason] = await shown(
      await begin(stranger, { client_id: "https://victim.example/y" }),
    );
    expect([status, error, reason]).toEqual([
      429,
      "temporarily_unavailable",
      "metadata_documents_limited",
    ]);
    // Documents that are known, and other networks, are not held up.
    agent = new AgentSite();
    expect(isFound(await begin(from("192.0.2.92"), agent))).toBe(true);
    expect(isFound(await begin(stranger, agent))).toBe(true);
  });
});
