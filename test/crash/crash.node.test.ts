import { mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { LocalServer } from "../../src/cli/local/local-server.ts";
import { processesWith } from "../cli/support.ts";
import { Evidence, TOKEN_LIFETIME } from "./evidence.ts";
import { forEach, Load } from "./load.ts";
import { Session } from "./session.ts";
import { type Answer, TokenClient } from "./token-client.ts";

/**
 * Promise 1 of DESIGN.md where it is hardest to keep: the server, a process with its storage on disk,
 * is killed in the middle of its work and started again, and no login is lost and no token exchanged
 * twice. (A kill leaves what was handed to the operating system; it does not show a power cut.)
 */

const CRASHES = 3;
const MAX_CRASHES = 10;
/** Many times what a test takes on a small machine. */
const PATIENCE_MS = 300_000;

let root: string;
let server: LocalServer;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "baton-crash-")));
  vi.stubEnv("TMPDIR", root);
  server = await LocalServer.launch();
  vi.unstubAllEnvs();
  // For a run that is interrupted; after the server's own, which ends the server.
  process.once("exit", removeRoot);
  await server.ready();
});

afterAll(async () => {
  try {
    await server.stop();
    const left = readdirSync(root);
    if (left.length > 0) throw new Error(`Left behind: ${left.join(", ")}`);
    await vi.waitUntil(() => processesWith(root).length === 0, 5_000);
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

/** Logins at a client, each a family of its own. */
function logIn(client: TokenClient, count: number): Promise<Session[]> {
  const subjects = Array.from({ length: count }, (_, index) => `user-${index}`);
  return forEach(
    subjects,
    async (subject) => new Session(await client.login(subject)),
  );
}

/**
 * Crash after crash under load: every living session rotates before, between and after them. There
 * are more than `CRASHES` if those have only hit requests that the server had not decided yet.
 *
 * @param hasHit whether a crash has taken the answer of an exchange that was done
 */
async function crashAgainAndAgain(
  load: Load,
  hasHit: () => boolean | Promise<boolean>,
): Promise<void> {
  await load.everybodyHasRotated();
  for (
    let crashes = 0;
    crashes < CRASHES || (crashes < MAX_CRASHES && !(await hasHit()));
    crashes++
  ) {
    await load.crash();
    await load.everybodyHasRotated();
  }
  await load.end();
  // Else there was nothing to lose, and nothing is shown.
  expect(await hasHit()).toBe(true);
  expect(Math.min(...load.lostAnswers)).toBeGreaterThan(0);
}

/** Presents the session's newest token. */
async function goOn(client: TokenClient, session: Session): Promise<Answer> {
  const { token } = session;
  const answer = await client.refresh(token);
  if (answer.outcome === "given") session.given(token, answer.refreshToken);
  return answer;
}

/** As much of a session as one wants to read in a failure. */
function brief({ refusal, answers, lost }: Session) {
  return {
    error: refusal?.error,
    exchanges: answers.size,
    answersLost: lost.size,
  };
}

/** One line of figures, for whoever reads the log of a passed run. */
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
      const sessions = await logIn(client, 300);
      const load = new Load(server, client, sessions, {
        signal,
        // Every second session asks again what it was answered before the crash.
        whileDown: () => {
          for (const [index, session] of sessions.entries())
            if (index % 2 === 0) session.doubt();
        },
      });
      const evidence = new Evidence(server, sessions);
      await crashAgainAndAgain(
        load,
        async () => (await evidence.exchangedBeforeCrash()).length > 0,
      );

      // The newest token of each is good, and the one before it leads to the same successor again.
      const goneOn = await forEach(sessions, (session) =>
        goOn(client, session),
      );
      const askedAgain = await forEach(sessions, async (session) => {
        const { used = "" } = session;
        const answer = await client.refresh(used);
        if (answer.outcome === "given")
          session.given(used, answer.refreshToken);
        return answer;
      });

      const { answers, lost, lostAndAnswered } = evidence;
      const exchangedBefore = await evidence.exchangedBeforeCrash();
      const sessionsLost = sessions.filter(
        ({ refusal }, index) =>
          refusal ??
          [goneOn, askedAgain].some(
            (answers) => answers[index]?.outcome !== "given",
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
        "asked again with the same answer": answers.filter(
          ({ length }) => length > 1,
        ).length,
        "sessions lost": sessionsLost.length,
        "exchanges done twice": twice.length + miscounted.length,
      });
      expect(lostAndAnswered).toEqual(lost);
      expect(sessionsLost.map(brief)).toEqual([]);
      expect(twice).toEqual([]);
      expect(miscounted.map(brief)).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    "exchanges no token twice for a strict client: one whose answer is lost is either used up or as new",
    async ({ signal }) => {
      const client = await register({});
      const sessions = await logIn(client, 200);
      const load = new Load(server, client, sessions, { signal });
      await crashAgainAndAgain(load, () =>
        sessions.some(({ refusal }) => refusal),
      );

      const over = sessions.filter(({ refusal }) => refusal);
      const living = sessions.filter(({ refusal }) => !refusal);
      const goneOn = await forEach(living, (session) => goOn(client, session));
      const miscounted = await new Evidence(server, living).miscounted();
      const usedAgain = await forEach(sessions, ({ refusal, used = "" }) =>
        client.refresh(refusal?.token ?? used),
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
        "of these used up and refused": over.length,
        "as new and exchanged": lostAndAnswered.length,
        "used tokens refused at the end": usedAgain.length,
        "exchanges done twice":
          exchangedBefore.length + twice.length + miscounted.length,
      });
      expect(over.length + lostAndAnswered.length).toBe(lost.length);
      // Nobody was refused but for a token that a crash had taken the answer of.
      expect(over.map(({ refusal }) => refusal?.token)).toEqual(
        over.map(({ lost }) => [...lost.keys()].at(-1)),
      );
      expect(exchangedBefore).toEqual([]);
      expect(twice).toEqual([]);
      expect(miscounted.map(brief)).toEqual([]);
      expect(goneOn.filter(({ outcome }) => outcome !== "given")).toEqual([]);
      expect(usedAgain).toEqual(
        sessions.map(() => ({ outcome: "refused", error: "invalid_grant" })),
      );
    },
    PATIENCE_MS,
  );
});
