import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { freshSecrets } from "../../src/cli/local/dev-vars.ts";
import { LocalServer } from "../../src/cli/local/local-server.ts";
import vectors from "../league/refresh-tokens.json" with { type: "json" };
import { encryptedByDefuse } from "../support/defuse.ts";
import { type Answer, TokenClient } from "./token-client.ts";

/** A token of the old server has one successor, even if the server is killed during the exchange. */

/** Many times `AT_ONCE`. The crash can take the answers of so many exchanges, however many tokens there are. */
const TOKENS = 150;
const AT_ONCE = 16;
/** How many exchanges are answered before the server is killed. */
const ANSWERED = 50;

/** Many times the duration of a test on a small machine. */
vi.setConfig({ testTimeout: 300_000 });

let server: LocalServer;

beforeAll(async () => {
  const { value } = vectors.keys.defuse;
  const secrets = { ...freshSecrets(), LEAGUE_ENCRYPTION_KEY: value };
  server = await LocalServer.launch(secrets);
  await server.ready();
});

afterAll(() => server.stop());

function oldTokens(client_id: string): Promise<string[]> {
  return Promise.all(
    Array.from({ length: TOKENS }, (_, index) =>
      encryptedByDefuse(
        JSON.stringify({
          client_id,
          refresh_token_id: `${client_id}-${index}`,
          scopes: [],
          user_id: String(index),
          expire_time: 2_111_002_082,
        }),
      ),
    ),
  );
}

/** Exchanges each token, `AT_ONCE` at a time, and calls `onAnswer` after each answer. */
async function exchangeAll(
  client: TokenClient,
  tokens: readonly string[],
  onAnswer: (answered: number) => void = () => undefined,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let answered = 0;
  const waiting = tokens.entries();
  const worker = async () => {
    for (const [index, token] of waiting) {
      answers[index] = await client.refresh(token);
      answered += 1;
      onAnswer(answered);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answers;
}

/** Exchanges tokens, kills the server while it does so, and starts it again. */
async function crashInTheMiddle(client: TokenClient, tokens: string[]) {
  let crash: Promise<void> | undefined;
  const answers = await exchangeAll(client, tokens, (answered) => {
    if (answered === ANSWERED) crash = server.crash();
  });
  await crash;
  await server.startAgain();
  const lost = answers.filter(({ outcome }) => outcome === "lost");
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.length).toBeLessThan(TOKENS);
  return answers;
}

function successorOf(answer: Answer | undefined): string | undefined {
  return answer?.outcome === "issued" ? answer.refreshToken : undefined;
}

describe("tokens of the old server, with a crash in the middle", () => {
  it("have one successor each, the one that was answered before the crash, for a client that may retry", async () => {
    const client = await TokenClient.register(server, {
      client_id: "patient",
      refresh_token_retry_window: "PT1H",
    });
    const tokens = await oldTokens("patient");
    const before = await crashInTheMiddle(client, tokens);
    const after = await exchangeAll(client, tokens);
    for (const [index, answer] of after.entries()) {
      const answeredBefore = successorOf(before[index]);
      const successor = successorOf(answer);
      expect(answer).toMatchObject({ outcome: "issued" });
      if (answeredBefore !== undefined) expect(successor).toBe(answeredBefore);
    }
    const next = await exchangeAll(
      client,
      after.map((answer) => successorOf(answer) ?? ""),
    );
    for (const answer of next) expect(answer.outcome).toBe("issued");
  });

  it("are exchanged at most once for a strict client, and an undecided token is not lost", async () => {
    const client = await TokenClient.register(server, { client_id: "strict" });
    const tokens = await oldTokens("strict");
    const before = await crashInTheMiddle(client, tokens);
    const successors = before.flatMap((answer) => successorOf(answer) ?? []);
    // The successors that were answered are valid: no token got a second successor.
    const next = await exchangeAll(client, successors);
    for (const answer of next) expect(answer.outcome).toBe("issued");
    const lost = tokens.filter((_, index) => before[index]?.outcome === "lost");
    const again = await exchangeAll(client, lost);
    for (const answer of again)
      expect(["issued", "refused"]).toContain(answer.outcome);
    expect(again.filter(({ outcome }) => outcome === "issued")).not.toEqual([]);
  });
});
