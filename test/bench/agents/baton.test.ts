import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { TOKEN_URL } from "../../support/proving.ts";
import { ISSUER, server, type Tokens } from "../../support/server.ts";
import { playOnce, type Outcome, type Stage } from "./play.ts";
import {
  byAssertion,
  byDPoP,
  type Keys,
  makeKeys,
  makeStolenKeys,
  type Prove,
} from "./proofs.ts";
import { judgeTheft } from "./results.ts";
import { THIEF, type Trace } from "./trace.ts";
import { askedIn, honestTraces, theftTraces } from "./traces/index.ts";

/**
 * Tests the outcome of each trace of the benchmark on Baton, by HTTP. The benchmark's page shows the same. Here one login
 * is asked for all holders: of a login that lives, a holder's token that comes at the same moment is inside the window.
 */

const T0 = 1_800_000_000;

/** The record of a public client. */
const agent = {
  scope: "read",
  token_endpoint_auth_method: "none",
  redirect_uris: ["http://127.0.0.1/callback"],
};

beforeAll(() => server.makeScopes("read"));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** @param prove adds to each refresh what proves the key of its sender */
function stageOf(clientId: string, prove: Prove, login: Stage["login"]): Stage {
  return {
    setTime: (seconds) => {
      vi.setSystemTime(seconds * 1000);
    },
    login,
    refresh: async (refresh_token, sender) => {
      const { headers, form } = await prove(sender, Date.now() / 1000);
      const answer = await server.token(
        {
          grant_type: "refresh_token",
          client_id: clientId,
          refresh_token,
          ...form,
        },
        headers,
      );
      const body = await answer.json<Partial<Tokens> & { error?: string }>();
      if (answer.status === 200) return body.refresh_token;
      expect([answer.status, body.error]).toEqual(
        form && sender === "thief"
          ? [401, "invalid_client"]
          : [400, "invalid_grant"],
      );
      return undefined;
    },
  };
}

async function stageWith(refresh_token_retry_window: string): Promise<Stage> {
  const client = await server.makeClient({
    ...agent,
    refresh_token_retry_window,
  });
  return stageOf(
    client.client_id,
    async () => ({}),
    async () => (await server.login(client)).refresh_token,
  );
}

/** A public client, whose login is bound to its key from its first token on. */
async function stageWithDPoP(keys: Keys): Promise<Stage> {
  const client = await server.makeClient(agent);
  const dpop_jkt = keys.holder.jkt;
  return stageOf(
    client.client_id,
    byDPoP(keys, TOKEN_URL),
    async () => (await server.login(client, { dpop_jkt })).refresh_token,
  );
}

async function stageWithAssertions(): Promise<Stage> {
  const keys = await makeKeys();
  const client = await server.makeClient({
    scope: "read",
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [keys.holder.jwk] },
  });
  const prove = byAssertion(keys, ISSUER, client.client_id);
  return stageOf(
    client.client_id,
    prove,
    async () => (await server.login(client)).refresh_token,
  );
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

/** The reason in `refresh_token.stolen` says how a thief without the key has given himself away. */
const withKeys: [string, () => Promise<Stage>, string][] = [
  ["DPoP", async () => stageWithDPoP(await makeKeys()), "another_key"],
  ["private_key_jwt", stageWithAssertions, "client_authentication"],
];

describe.each(withKeys)("a client with a key, by %s", (_, start, reason) => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await start();
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(honestTraces)("$title: all holders go on", async (trace) => {
    const outcome = await playAll(trace, stage);
    expect(Object.values(outcome).map(({ alive }) => alive)).toEqual(
      askedIn(trace).map(() => true),
    );
  });

  it.each(theftTraces)(
    "a thief without the key: $title, the owner goes on, and the log names the login",
    async (trace) => {
      const lines = listenToLog();
      const outcome = await playAll(trace, stage);
      expect(judgeTheft(outcome)).toBe("refused");
      const named = parsedLog(lines).filter(({ grant_id }) => grant_id);
      const stolen = named.filter(
        ({ event }) => event === "refresh_token.stolen",
      );
      const login = named[0]?.grant_id;
      // One more is the token that is tried at the end.
      const sent = (outcome[THIEF]?.refused ?? 0) + 1;
      expect(stolen).toEqual(
        Array.from({ length: sent }, () =>
          expect.objectContaining({ reason, grant_id: login }),
        ),
      );
    },
  );
});

describe("a client with DPoP whose key is stolen too", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await stageWithDPoP(await makeStolenKeys());
  });

  it.each(theftTraces)("a thief: $title, is as the owner", async (trace) => {
    const outcome = await playAll(trace, stage);
    expect(Object.values(outcome).map(({ alive }) => alive)).toEqual(
      askedIn(trace).map(() => true),
    );
  });
});
