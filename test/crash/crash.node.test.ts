import { mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { LocalServer } from "../../src/cli/local/local-server.ts";
import { processesWith } from "../cli/support.ts";
import { BUSY } from "../support/busy.ts";
import { Evidence, TOKEN_LIFETIME } from "./evidence.ts";
import { mapConcurrently, Load } from "./load.ts";
import { Session } from "./session.ts";
import { type Answer, TokenClient } from "./token-client.ts";

/**
 * Tests the promise that a refresh token is exchanged at most once, where it is hardest to keep. The
 * server, a process with its storage on disk, is killed in the middle of its work and started again. No login
 * may be lost, and no token exchanged twice. (A kill is not a power cut: what was handed to the operating system
 * survives it.)
 */

const CRASHES = 3;
/**
 * The sessions of each load. A crash can take the answers of the requests in flight (`IN_FLIGHT`), however many
 * sessions there are. These are four times as many, so that most sessions are idle in a crash.
 */
const SESSIONS = 128;
const MAX_CRASHES = 10;
/** Many times the duration of a test on a small machine. */
const TIMEOUT_MS = 300_000;

let root: string;
let server: LocalServer;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "baton-crash-")));
  vi.stubEnv("TMPDIR", root);
  server = await LocalServer.launch();
  vi.unstubAllEnvs();
  // For an interrupted run. It runs after the server's own handler, which stops the server.
  process.once("exit", removeRoot);
  await server.ready();
});

afterAll(async () => {
  try {
    await server.stop();
    const left = readdirSync(root);
    if (left.length > 0)
      throw new Error(`The server left files behind: ${left.join(", ")}`);
    await vi.waitUntil(() => processesWith(root).length === 0, BUSY);
  } finally {
    removeRoot();
    process.off("exit", removeRoot);
  }
});

function removeRoot(): void {
  rmSync(root, { recursive: true, force: true });
}

function register(metadata: object): Promise<TokenClient> {
  const refresh_token_ttl = `PT${TOKEN_LIFETIME}S`;
  return TokenClient.register(server, { refresh_token_ttl, ...metadata });
}

/** Makes logins of a client, each with its own family. */
function logIn(client: TokenClient, count: number): Promise<Session[]> {
  const subjects = Array.from({ length: count }, (_, index) => `user-${index}`);
  return mapConcurrently(
    subjects,
    async (subject) => new Session(await client.login(subject)),
  );
}

/**
 * Crashes the server several times under load. Every live session rotates before, between and after the
 * crashes. There are more than `CRASHES` of them if the first ones only hit requests that the server had not
 * decided yet.
 *
 * @param hasHit true if a crash lost the answer to a completed exchange
 */
async function crashRepeatedly(
  load: Load,
  hasHit: () => boolean | Promise<boolean>,
): Promise<void> {
  await load.allHaveRotated();
  for (
    let crashes = 0;
    crashes < CRASHES || (crashes < MAX_CRASHES && !(await hasHit()));
    crashes++
  ) {
    await load.crash();
    await load.allHaveRotated();
  }
  await load.end();
  // Otherwise no answer was at risk, and the test shows nothing.
  expect(await hasHit()).toBe(true);
  expect(Math.min(...load.lostAnswers)).toBeGreaterThan(0);
}

/** Presents the session's newest token. */
async function refreshSession(
  client: TokenClient,
  session: Session,
): Promise<Answer> {
  const { token } = session;
  const answer = await client.refresh(token);
  if (answer.outcome === "issued") session.issued(token, answer.refreshToken);
  return answer;
}

/** The part of a session that a failure message shows. */
function summary({ refusal, answers, lost }: Session) {
  return {
    error: refusal?.error,
    exchanges: answers.size,
    answersLost: lost.size,
  };
}

/** Prints one line of figures into the log of a passed run. */
function print(figures: Record<string, number>): void {
  const parts = Object.entries(figures).map(
    ([name, figure]) => `${name}: ${figure}`,
  );
  process.stdout.write(`\n${parts.join(", ")}\n`);
}

describe("a server that is killed under load and started again", () => {
  test(
    "loses no session of a client that retries inside its window, and exchanges no token twice",
    async ({ signal }) => {
      const client = await register({ refresh_token_retry_window: "PT5M" });
      const sessions = await logIn(client, SESSIONS);
      const load = new Load(server, client, sessions, {
        signal,
        // Every second session repeats its last request from before the crash.
        whileDown: () => {
          for (const [index, session] of sessions.entries())
            if (index % 2 === 0) session.repeatLastExchange();
        },
      });
      const evidence = new Evidence(server, sessions);
      await crashRepeatedly(
        load,
        async () => (await evidence.exchangedBeforeCrash()).length > 0,
      );

      // The newest token of each session is valid, and the one before it gets the same successor again.
      const refreshed = await mapConcurrently(sessions, (session) =>
        refreshSession(client, session),
      );
      const repeated = await mapConcurrently(sessions, async (session) => {
        const { used = "" } = session;
        const answer = await client.refresh(used);
        if (answer.outcome === "issued")
          session.issued(used, answer.refreshToken);
        return answer;
      });

      const { answers, lost, lostAndAnswered } = evidence;
      const exchangedBefore = await evidence.exchangedBeforeCrash();
      const sessionsLost = sessions.filter(
        ({ refusal }, index) =>
          refusal ??
          [refreshed, repeated].some(
            (answers) => answers[index]?.outcome !== "issued",
          ),
      );
      const twice = answers.filter(
        (successors) => new Set(successors).size > 1,
      );
      const miscounted = await evidence.miscounted();
      print({
        sessions: sessions.length,
        crashes: load.lostAnswers.length,
        exchanges: answers.length,
        "answers lost": lost.length,
        "retried and answered": lostAndAnswered.length,
        "of these exchanged before the crash": exchangedBefore.length,
        "repeated with the same answer": answers.filter(
          ({ length }) => length > 1,
        ).length,
        "sessions lost": sessionsLost.length,
        "exchanges done twice": twice.length + miscounted.length,
      });
      expect(lostAndAnswered).toEqual(lost);
      expect(sessionsLost.map(summary)).toEqual([]);
      expect(twice).toEqual([]);
      expect(miscounted.map(summary)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "exchanges no token twice for a strict client: a token whose answer is lost is either used up or unused",
    async ({ signal }) => {
      const client = await register({});
      const sessions = await logIn(client, SESSIONS);
      const load = new Load(server, client, sessions, { signal });
      await crashRepeatedly(load, () =>
        sessions.some(({ refusal }) => refusal),
      );

      const ended = sessions.filter(({ refusal }) => refusal);
      const living = sessions.filter(({ refusal }) => !refusal);
      const refreshed = await mapConcurrently(living, (session) =>
        refreshSession(client, session),
      );
      const miscounted = await new Evidence(server, living).miscounted();
      const usedAgain = await mapConcurrently(
        sessions,
        ({ refusal, used = "" }) => client.refresh(refusal?.token ?? used),
      );

      const evidence = new Evidence(server, sessions);
      const { answers, lost, lostAndAnswered } = evidence;
      const exchangedBefore = await evidence.exchangedBeforeCrash();
      const twice = answers.filter(({ length }) => length > 1);
      print({
        "strict sessions": sessions.length,
        crashes: load.lostAnswers.length,
        exchanges: answers.length,
        "answers lost": lost.length,
        "of these used up and refused": ended.length,
        "unused and exchanged": lostAndAnswered.length,
        "used tokens refused at the end": usedAgain.length,
        "exchanges done twice":
          exchangedBefore.length + twice.length + miscounted.length,
      });
      expect(ended.length + lostAndAnswered.length).toBe(lost.length);
      // A session was refused only for a token whose answer was lost in a crash.
      expect(ended.map(({ refusal }) => refusal?.token)).toEqual(
        ended.map(({ lost }) => [...lost.keys()].at(-1)),
      );
      expect(exchangedBefore).toEqual([]);
      expect(twice).toEqual([]);
      expect(miscounted.map(summary)).toEqual([]);
      expect(refreshed.filter(({ outcome }) => outcome !== "issued")).toEqual(
        [],
      );
      expect(usedAgain).toEqual(
        sessions.map(() => ({ outcome: "refused", error: "invalid_grant" })),
      );
    },
    TIMEOUT_MS,
  );
});
