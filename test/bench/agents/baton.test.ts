import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import { server, type Tokens } from "../../support/server.ts";
import { playOnce, type Outcome, type Stage } from "./play.ts";
import { judgeTheft } from "./results.ts";
import { THIEF, type Trace } from "./trace.ts";
import { askedIn, honestTraces, theftTraces } from "./traces/index.ts";

/**
 * Tests the outcome of each trace of the benchmark on Baton, by HTTP. The benchmark's page shows the same. Here one login
 * is asked for all holders: of a login that lives, a holder's token that comes at the same moment is inside the window.
 */

const T0 = 1_800_000_000;

beforeAll(() => server.makeScopes("read"));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
});

afterEach(() => {
  vi.useRealTimers();
});

async function stageWith(refresh_token_retry_window: string): Promise<Stage> {
  const client = await server.makeClient({
    scope: "read",
    token_endpoint_auth_method: "none",
    redirect_uris: ["http://127.0.0.1/callback"],
    refresh_token_retry_window,
  });
  return {
    setTime: (seconds) => {
      vi.setSystemTime(seconds * 1000);
    },
    login: async () => (await server.login(client)).refresh_token,
    refresh: async (token) => {
      const answer = await server.refresh(client, token);
      const body = await answer.json<Partial<Tokens> & { error?: string }>();
      if (answer.status === 200) return body.refresh_token;
      expect([answer.status, body.error]).toEqual([400, "invalid_grant"]);
      return undefined;
    },
  };
}

function playAll(trace: Trace, stage: Stage): Promise<Outcome> {
  return playOnce(trace, stage, T0, askedIn(trace));
}

const windows = ["PT0S", "PT1M", "PT1H"] as const;
type Expected<Outcome> = Record<string, readonly [Outcome, Outcome, Outcome]>;

/** Do all holders go on, with each of the windows? If not, none of them does, because the login has ended. */
const goOn: Expected<boolean> = {
  "two tabs at once": [false, true, true],
  "two tabs, a copy each": [false, true, true],
  "three tabs, own timers": [false, true, true],
  "five processes at once": [false, true, true],
  "two nodes, 3 s apart": [false, true, true],
  "old copy, 5 min later": [false, false, true],
  "answer lost, again at once": [false, true, true],
  "answer lost, again after 2 s": [false, true, true],
  "answer lost, again after 56 s": [false, true, true],
  "answer lost, again after 68 s": [false, false, true],
  "three workers, 68 s apart": [false, false, true],
  "answer lost, again after hours": [false, false, false],
  "a laptop sleeps 25 min": [false, false, true],
  "a crash before the write": [false, true, true],
  "four generations ago": [false, false, false],
  "a store never written": [false, false, false],
};

/** The outcome of a theft, and how many refreshes of the thief's were answered before. */
const thefts: Expected<readonly [string, number]> = {
  "newest token, thief first": [
    ["ended", 1],
    ["ended", 1],
    ["unnoticed: both", 2],
  ],
  "newest token, thief second": [
    ["ended", 0],
    ["ended", 0],
    ["unnoticed: both", 2],
  ],
  "a used token": [
    ["ended", 0],
    ["ended", 0],
    ["unnoticed: owner", 1],
  ],
  "the thief waits 3 days": [
    ["ended", 0],
    ["ended", 0],
    ["ended", 0],
  ],
  "10 s after the owner, once": [
    ["ended", 0],
    ["ended", 1],
    ["unnoticed: owner", 2],
  ],
  "10 s after the owner, always": [
    ["ended", 0],
    ["unnoticed: both", 3],
    ["unnoticed: both", 3],
  ],
  "10 s before the owner, once": [
    ["ended", 1],
    ["ended", 1],
    ["unnoticed: owner", 2],
  ],
  "two exchanges later": [
    ["ended", 0],
    ["ended", 0],
    ["ended", 0],
  ],
  "the owner never returns": [
    ["unnoticed: thief", 3],
    ["unnoticed: thief", 3],
    ["unnoticed: thief", 3],
  ],
};

it("every trace has its expectation here", () => {
  const titles = [...honestTraces, ...theftTraces].map(({ title }) => title);
  expect([...Object.keys(goOn), ...Object.keys(thefts)]).toEqual(titles);
});

describe.each(windows.map((window, index) => ({ window, index })))(
  "a client with the window $window",
  ({ window, index }) => {
    let stage: Stage;

    beforeAll(async () => {
      stage = await stageWith(window);
    });

    it.each(honestTraces)("$title", async (trace) => {
      const outcome = await playAll(trace, stage);
      const alive = goOn[trace.title]?.[index];
      expect(outcome).toEqual(
        Object.fromEntries(
          askedIn(trace).map((name) => [
            name,
            expect.objectContaining({ alive }),
          ]),
        ),
      );
    });

    it.each(theftTraces)("a thief: $title", async (trace) => {
      const outcome = await playAll(trace, stage);
      expect([judgeTheft(outcome), outcome[THIEF]?.answered]).toEqual(
        thefts[trace.title]?.[index],
      );
    });
  },
);
