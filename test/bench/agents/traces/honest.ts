import {
  alone,
  copying,
  HOUR,
  hourly,
  MINUTE,
  refresh,
  sharing,
  type Trace,
} from "../trace.ts";

/** Traces without a thief. Each ends well if all of its holders can go on. */

const github = "https://github.com";

/** A client that presents its token again after a lost answer. */
function lostAnswer(
  title: string,
  about: string,
  seconds: number,
  sources: readonly string[],
): Trace {
  return {
    title,
    about,
    sources,
    holders: { client: sharing },
    steps: [
      refresh(HOUR, "client", { answer: "lost" }),
      refresh(HOUR + seconds, "client"),
      refresh(2 * HOUR + seconds, "client"),
    ],
  };
}

const processes = ["one", "two", "three", "four", "five"];

export const honestTraces: readonly Trace[] = [
  {
    title: "two tabs at once",
    about:
      "Two tabs share a store. Both read it when the access token ends, and both send the same refresh token at the same moment.",
    sources: [
      `${github}/authts/oidc-client-ts/issues/430`,
      `${github}/supabase/auth-js/issues/213`,
    ],
    holders: { "tab one": sharing, "tab two": sharing },
    steps: hourly([1, 2, 3], (start) => [
      refresh(start, ["tab one", "tab two"]),
    ]),
  },
  {
    title: "two tabs, a copy each",
    about:
      "The same with a copy in each tab, because a browser copies `sessionStorage` into a duplicated tab. Their timers stay together.",
    sources: [
      `${github}/authts/oidc-client-ts/issues/430`,
      `${github}/authts/react-oidc-context/issues/1472`,
    ],
    holders: { "tab one": alone, "tab two": alone },
    steps: hourly([1, 2, 3], (start) => [
      refresh(start, ["tab one", "tab two"]),
    ]),
  },
  {
    title: "three tabs, own timers",
    about:
      "Three tabs with a copy and a timer each. They refresh 1.2 and 8.5 seconds after one another, as in the log in the thread.",
    sources: [`${github}/supabase/supabase/issues/8959`],
    holders: { "tab one": alone, "tab two": alone, "tab three": alone },
    steps: hourly([1, 2, 3], (start) => [
      refresh(start, "tab one"),
      refresh(start + 1.2, "tab two"),
      refresh(start + 8.5, "tab three"),
    ]),
  },
  {
    title: "five processes at once",
    about:
      "Five processes on one store start after the access token has ended. A process that is refused empties the store, as in the threads.",
    sources: [
      `${github}/anthropics/claude-code/issues/84440`,
      `${github}/anomalyco/opencode/issues/49439`,
      `${github}/anthropics/claude-code/issues/85236`,
    ],
    holders: Object.fromEntries(
      processes.map((name) => [
        name,
        { ...sharing, clearsAfterRefusal: true as const },
      ]),
    ),
    steps: hourly([1, 2], (start) => [refresh(start, processes)]),
  },
  {
    title: "two nodes, 3 s apart",
    about:
      "A hosted client refreshes from two nodes with the same token, three seconds apart, and each goes on with what it got.",
    sources: [`${github}/PrefectHQ/fastmcp/issues/4264`],
    holders: { "node one": alone, "node two": alone },
    steps: hourly([1, 2, 3], (start) => [
      refresh(start, "node one"),
      refresh(start + 3, "node two"),
    ]),
  },
  {
    title: "old copy, 5 min later",
    about:
      "Two processes share a store, but each refreshes with the copy in its memory. The second one does so five minutes after the first.",
    sources: [
      `${github}/anthropics/claude-code/issues/74250`,
      `${github}/anthropics/claude-code/issues/91641`,
    ],
    holders: { first: copying, second: copying },
    steps: hourly([1, 2], (start) => [
      refresh(start, "first"),
      refresh(start + 5 * MINUTE, "second"),
    ]),
  },
  lostAnswer(
    "answer lost, again at once",
    "The network changes while the answer is on its way. The client sends the request again a second later.",
    1,
    [`${github}/anthropics/claude-code/issues/93014`],
  ),
  lostAnswer(
    "answer lost, again after 2 s",
    "The answer is lost, and the client sends the request again after a short pause.",
    2,
    [
      `${github}/ory/hydra/issues/1831`,
      `${github}/zitadel/zitadel/issues/9631`,
    ],
  ),
  lostAnswer(
    "answer lost, again after 56 s",
    "The client gives up after five seconds, and its next refresh is 56 seconds after the first.",
    56,
    [`${github}/kurrent-io/kcap-cli/issues/946`],
  ),
  lostAnswer(
    "answer lost, again after 68 s",
    "The answer is lost, and the next refresh is 68 seconds after the first, which is the pause in the thread.",
    68,
    [`${github}/aakarim/OpenLore/pull/85`],
  ),
  {
    title: "three workers, 68 s apart",
    about:
      "A hosted agent exchanges a token, sends it again a second later, and a third worker sends it 68 seconds after that.",
    sources: [`${github}/aakarim/OpenLore/pull/85`],
    holders: {
      "worker one": alone,
      "worker two": alone,
      "worker three": alone,
    },
    steps: [
      refresh(HOUR, "worker one"),
      refresh(HOUR + 1, "worker two"),
      refresh(HOUR + 69, "worker three"),
    ],
  },
  lostAnswer(
    "answer lost, again after hours",
    "The network changes while the answer is on its way, and the next refresh is three hours and 18 minutes later.",
    198 * MINUTE,
    [
      `${github}/anthropics/claude-code/issues/93014`,
      `${github}/advplyr/audiobookshelf/issues/5281`,
    ],
  ),
  {
    title: "a laptop sleeps 25 min",
    about:
      "A laptop falls asleep between a request and its answer. When it wakes, two windows refresh at once with the token in the store.",
    sources: [
      `${github}/anthropics/claude-code/issues/90688`,
      `${github}/anthropics/claude-code/issues/93014`,
    ],
    holders: { "window one": sharing, "window two": sharing },
    steps: [
      refresh(HOUR, "window one", { answer: "lost" }),
      refresh(HOUR + 25 * MINUTE, ["window one", "window two"]),
      refresh(3 * HOUR, ["window one", "window two"]),
    ],
  },
  {
    title: "a crash before the write",
    about:
      "The process ends between the answer and the write to the store. A new one starts 30 seconds later with what the store has.",
    sources: [
      `${github}/Macro-Deck-App/Macro-Deck/issues/815`,
      `${github}/DuendeArchive/IdentityServer4/issues/2610`,
    ],
    holders: { client: copying },
    steps: [
      refresh(HOUR, "client", { answer: "lost" }),
      { at: HOUR + 30, who: "client", does: "start" },
      refresh(HOUR + 30, "client"),
      refresh(2 * HOUR, "client"),
    ],
  },
  {
    title: "four generations ago",
    about:
      "One process refreshes every hour. Another one comes back after four hours with the copy in its memory, four exchanges old.",
    sources: [
      `${github}/exceptionless/Exceptionless/pull/2404`,
      `${github}/openai/codex/issues/14144`,
    ],
    holders: { busy: sharing, idle: copying },
    steps: [
      ...hourly([1, 2, 3, 4], (start) => [refresh(start, "busy")]),
      refresh(4.5 * HOUR, "idle"),
      refresh(5 * HOUR, "busy"),
    ],
  },
  {
    title: "a store never written",
    about:
      "A session refreshes in its memory only. After four hours a new process starts with the token of the sign-in, which is in the store.",
    sources: [`${github}/anthropics/claude-code/issues/91571`],
    holders: { session: alone, fresh: copying },
    steps: [
      ...hourly([1, 2, 3, 4], (start) => [refresh(start, "session")]),
      refresh(4.5 * HOUR, "fresh"),
      refresh(5 * HOUR, "session"),
    ],
  },
];
