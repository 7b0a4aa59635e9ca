import {
  alone,
  HOUR,
  hourly,
  refresh,
  sharing,
  type Step,
  THIEF,
  type Trace,
} from "../trace.ts";

/** Traces with a thief, who has a copy of one token of the owner's. */

const github = "https://github.com";
const reuseDetection = `${github}/auth0/docs/pull/8821`;
const graceFork = `${github}/VilnaCRM-Org/user-service/issues/474`;

const holders = { owner: sharing, [THIEF]: alone };
const DAY = 24 * HOUR;

function steal(at: number, exchangesAgo = 0): Step {
  return { at, who: THIEF, does: "steal", from: "owner", exchangesAgo };
}

export const theftTraces: readonly Trace[] = [
  {
    title: "newest token, thief first",
    about:
      "The thief takes the newest token and uses it first. The owner comes with the same token at the end of the hour, and the thief after that.",
    sources: [
      reuseDetection,
      `${github}/cloudflare/workers-oauth-provider/issues/43`,
    ],
    holders,
    steps: [
      steal(60),
      refresh(120, THIEF),
      refresh(HOUR, "owner"),
      refresh(HOUR + 120, THIEF),
      refresh(2 * HOUR, "owner"),
    ],
  },
  {
    title: "newest token, thief second",
    about:
      "The thief takes the newest token, and uses it ten minutes after the owner has exchanged it. Both go on.",
    sources: [reuseDetection],
    holders,
    steps: [
      steal(60),
      refresh(HOUR, "owner"),
      refresh(HOUR + 600, THIEF),
      refresh(2 * HOUR, "owner"),
      refresh(2 * HOUR + 600, THIEF),
    ],
  },
  {
    title: "a used token",
    about:
      "The thief finds a token that was exchanged half an hour ago, in a backup or a log.",
    sources: [`${github}/cloudflare/workers-oauth-provider/issues/43`],
    holders,
    steps: [
      refresh(HOUR, "owner"),
      steal(HOUR + 60, 1),
      refresh(1.5 * HOUR, THIEF),
      refresh(2 * HOUR, "owner"),
    ],
  },
  {
    title: "the thief waits 3 days",
    about:
      "The thief takes the newest token and waits for three days, while the owner refreshes every eight hours.",
    sources: [`${github}/django-oauth/django-oauth-toolkit/issues/1617`],
    holders,
    steps: [
      steal(60),
      ...hourly([8, 16, 24, 32, 40, 48, 56, 64], (start) => [
        refresh(start, "owner"),
      ]),
      refresh(3 * DAY - HOUR, THIEF),
      refresh(3 * DAY, "owner"),
    ],
  },
  {
    title: "10 s after the owner, once",
    about:
      "The thief uses the stolen token ten seconds after the owner, and comes a second time ten minutes after the owner's next refresh.",
    sources: [graceFork, `${github}/ory/hydra/issues/1831`],
    holders,
    steps: [
      steal(60),
      refresh(HOUR, "owner"),
      refresh(HOUR + 10, THIEF),
      refresh(2 * HOUR, "owner"),
      refresh(2 * HOUR + 600, THIEF),
      refresh(3 * HOUR, "owner"),
    ],
  },
  {
    title: "10 s after the owner, always",
    about:
      "The thief knows when the owner refreshes, and comes ten seconds after each of its refreshes.",
    sources: [graceFork],
    holders,
    steps: [
      steal(60),
      ...hourly([1, 2, 3], (start) => [
        refresh(start, "owner"),
        refresh(start + 10, THIEF),
      ]),
    ],
  },
  {
    title: "10 s before the owner, once",
    about:
      "The thief uses the newest token ten seconds before the owner, and comes again ten minutes after the owner's next refresh.",
    sources: [graceFork],
    holders,
    steps: [
      steal(60),
      refresh(HOUR - 10, THIEF),
      refresh(HOUR, "owner"),
      refresh(2 * HOUR, "owner"),
      refresh(2 * HOUR + 600, THIEF),
      refresh(3 * HOUR, "owner"),
    ],
  },
  {
    title: "two exchanges later",
    about:
      "The owner refreshes twice within five seconds. Five seconds later the thief uses the token of before both.",
    sources: [
      `${github}/supabase/auth/pull/466`,
      `${github}/django-oauth/django-oauth-toolkit/issues/1617`,
    ],
    holders,
    steps: [
      steal(60),
      refresh(HOUR, "owner"),
      refresh(HOUR + 5, "owner"),
      refresh(HOUR + 10, THIEF),
      refresh(2 * HOUR, "owner"),
    ],
  },
  {
    title: "the owner never returns",
    about:
      "The thief takes the newest token of a user who does not come back. Nobody ever presents a token that was used.",
    sources: [`${github}/auth0/docs/pull/8931`],
    holders,
    steps: [
      steal(60),
      refresh(120, THIEF),
      ...hourly([1, 2], (start) => [refresh(start, THIEF)]),
    ],
    asked: [THIEF],
  },
];
