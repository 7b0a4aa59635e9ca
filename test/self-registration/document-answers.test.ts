import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  AgentSite,
  begin,
  DOCUMENTS_ON,
  isFound,
  whyNot,
} from "../support/agent-site.ts";
import { BUSY } from "../support/busy.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { refusal, serverWith, type TestServer } from "../support/server.ts";

/** What a client's site may answer. */

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

describe("the answer of the client's site", () => {
  const refused: [AgentSite["answer"], kind: string, problem: string][] = [
    [
      () => agent.serve({}, {}, 404),
      "invalid",
      "its URL answered 404, not 200",
    ],
    [
      () => agent.serve(agent.document, {}, 201),
      "invalid",
      "its URL answered 201, not 200",
    ],
    [
      () =>
        agent.serve(
          agent.document,
          { Location: "https://agent.example/c" },
          302,
        ),
      "invalid",
      "its URL answered 302. Redirects are not followed",
    ],
    [
      () =>
        agent.serve(
          agent.document,
          { Location: "http://169.254.169.254/" },
          307,
        ),
      "invalid",
      "its URL answered 307. Redirects are not followed",
    ],
    [() => agent.serve({}, {}, 500), "unreachable", "its URL answered 500"],
    [() => agent.serve({}, {}, 429), "unreachable", "its URL answered 429"],
    [
      () => agent.serve(agent.document, { "Content-Type": "text/html" }),
      "invalid",
      "its Content-Type must be application/json",
    ],
    [
      () =>
        agent.serve(agent.document, { "Content-Type": "application/jsonp" }),
      "invalid",
      "its Content-Type must be application/json",
    ],
    [() => agent.serve("<html>"), "invalid", "it must be an object in JSON"],
    [
      () => agent.serve({ ...agent.document, x: "x".repeat(16 * 1024) }),
      "invalid",
      "it has more than 16 KiB",
    ],
    [
      () => agent.serve({ ...agent.document, client_id: "https://x.example/" }),
      "invalid",
      "its client_id must be the URL of the document, character by character",
    ],
    [
      () => Promise.reject(new TypeError("secret detail")),
      "unreachable",
      "its host cannot be reached",
    ],
  ];

  it.each(
    refused.map(([answer, kind, problem]) => ({ answer, kind, problem })),
  )(
    "is refused, and the page says: $problem",
    async ({ answer, kind, problem }) => {
      agent.answer = answer;
      const [reason, words] = await whyNot(await begin(server, agent));
      expect(reason).toBe(`metadata_document_${kind}`);
      expect(words).toContain(`: ${problem}.`);
      expect(agent.fetched).toHaveLength(1);
    },
  );

  it("may have a more specific type of JSON", async () => {
    for (const type of [
      "application/ld+json",
      "application/json; charset=utf-8",
    ]) {
      agent = new AgentSite();
      agent.answer = () =>
        agent.serve(agent.document, { "Content-Type": type });
      expect(isFound(await begin(server, agent))).toBe(true);
    }
  });

  it("is read until it is too large, and no further", async () => {
    let sent = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 1;
          controller.enqueue(new Uint8Array(1024).fill(0x20));
        },
      });
    const headers = { "Content-Type": "application/json" };
    agent.answer = () => new Response(endless(), { headers });
    const [reason] = await whyNot(await begin(server, agent));
    expect(reason).toBe("metadata_document_invalid");
    expect(sent).toBeLessThan(30);
  });

  it.each([
    ["does not come", () => new Promise<Response>(() => {})],
    [
      "does not end",
      async () => {
        const body = new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(new Uint8Array([0x7b])),
        });
        const headers = { "Content-Type": "application/json" };
        return new Response(body, { headers });
      },
    ],
  ])("that %s is waited for 5 seconds", async (_, answer) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    agent.answer = answer;
    const response = begin(server, agent);
    await vi.waitFor(() => expect(agent.fetched).toHaveLength(1), BUSY);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await whyNot(await response)).toEqual([
      "metadata_document_unreachable",
      "The metadata document of this client_id cannot be read now: no answer within 5 seconds. Try again in a minute.",
    ]);
    expect(agent.fetched[0]?.signal.aborted).toBe(true);
  });

  it("that is refused stands in the log, without a value of the document", async () => {
    const lines = listenToLog();
    agent.document.client_secret = "s3cret-of-the-document";
    await begin(server, agent);
    expect(parsedLog(lines)).toContainEqual({
      event: "metadata_document.refused",
      time: expect.any(Number),
      client_id: agent.client_id,
      reason: "metadata_document_invalid",
      problem:
        "its client_secret must not be in a metadata document, because anybody can read it",
    });
    expect(lines.join()).not.toContain("s3cret-of-the-document");
  });

  it("is an unknown client at the token endpoint, if it is refused", async () => {
    agent.document.redirect_uris = [];
    expect(await refusal(await server.refresh(agent, "x"))).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    expect(agent.fetched).toHaveLength(1);
  });
});
