import { table } from "../report/markdown.ts";
import type { Outcome } from "./play.ts";
import {
  countOver,
  judgeTheft,
  living,
  rangeOf,
  rangeText,
  type Results,
  type ServerResults,
} from "./results.ts";
import { THIEF, type Trace } from "./trace.ts";
import { askedIn, honestTraces, theftTraces } from "./traces/index.ts";

const honestTitles = honestTraces.map(({ title }) => title);
const theftTitles = theftTraces.map(({ title }) => title);
/** The traces at whose end the owner's token is tried too. */
const ownerTitles = theftTraces
  .filter((trace) => askedIn(trace).includes("owner"))
  .map(({ title }) => title);

const refreshesOfThieves = theftTraces
  .flatMap(({ steps }) => steps)
  .filter(({ who, does }) => who === THIEF && does === "refresh").length;

/** The letter of each theft, so that its column is narrow. */
const theftName = (index: number) => String.fromCharCode(65 + index);

/** All tables in Markdown, from the results alone. */
export function report(results: Results): string {
  const { date, commit, repeats, servers } = results;
  return `Played on ${date.slice(0, 10)}, Baton at commit ${commit}, each trace ${repeats} times. Where the outcome was not the same each time, the cell shows the range.

### Summary

${summaryTable(servers)}

### Each trace without a thief

How many of the trace's holders go on at its end. The traces are [listed below](#traces-without-a-thief).

${honestTable(servers)}

### Each theft

${theftLegend}

The thefts are [listed below](#traces-with-a-thief).

${theftTable(servers)}

### Servers

${table(
  ["", "version", "runs on", "configuration"],
  servers.map(({ name, version, runtime, about }) => [
    name,
    version,
    runtime,
    about,
  ]),
)}

### Traces without a thief

${traceList(honestTraces, (index) => String(index + 1))}

### Traces with a thief

${traceList(theftTraces, theftName)}`;
}

const theftLegend = `- **ended**: nobody's token is valid at the end. The server noticed, and the owner has to sign in again.
- **refused**: the thief got nothing, and the owner's login goes on. If the login or its client has a key, Baton raises an alarm that names the login.
- **both**, **thief**, **owner**: unnoticed. The thief got tokens, the login is alive, and these hold a valid token at the end.`;

/** The counts of the summary, each for one server. */
export const figures = {
  /** Traces without a thief after which at least one holder must sign in again. */
  lost: (server: ServerResults) =>
    countOver(server, honestTitles, (outcome) =>
      living(outcome) < holdersIn(outcome) ? 1 : 0,
    ),
  /** Those of them after which every holder must. */
  lostEntirely: (server: ServerResults) =>
    countOver(server, honestTitles, (outcome) =>
      living(outcome) === 0 ? 1 : 0,
    ),
  unnoticed: (server: ServerResults) =>
    countOver(server, theftTitles, (outcome) =>
      judgeTheft(outcome).startsWith("unnoticed") ? 1 : 0,
    ),
  thiefAnswered: (server: ServerResults) =>
    countOver(server, theftTitles, (outcome) => outcome[THIEF]?.answered ?? 0),
  thiefAlive: (server: ServerResults) =>
    countOver(server, theftTitles, (outcome) =>
      outcome[THIEF]?.alive ? 1 : 0,
    ),
  ownerAlive: (server: ServerResults) =>
    countOver(server, ownerTitles, ({ owner }) => (owner?.alive ? 1 : 0)),
};

function holdersIn(outcome: Outcome): number {
  return Object.keys(outcome).length;
}

function summaryTable(servers: readonly ServerResults[]): string {
  const [honest, thefts] = [honestTitles.length, theftTitles.length];
  return table(
    [
      "",
      `honest logins lost, of ${honest}`,
      "of these for every holder",
      `thefts unnoticed, of ${thefts}`,
      `the thief's refreshes answered, of ${refreshesOfThieves}`,
      `thief's token alive at the end, of ${thefts}`,
      `owner's token alive at the end, of ${ownerTitles.length}`,
    ],
    servers.map((server) => [
      server.name,
      ...Object.values(figures).map((figure) => rangeText(figure(server))),
    ]),
  );
}

function honestTable(servers: readonly ServerResults[]): string {
  return table(
    ["", ...honestTitles.map((_, index) => String(index + 1))],
    servers.map(({ name, outcomes }) => [
      name,
      ...honestTitles.map((title) => honestCell(outcomes[title] ?? [])),
    ]),
  );
}

function honestCell(repeats: readonly Outcome[]): string {
  const range = rangeText(rangeOf(repeats.map(living)));
  return `${range}/${holdersIn(repeats[0] ?? {})}`;
}

function theftTable(servers: readonly ServerResults[]): string {
  return table(
    ["", ...theftTitles.map((_, index) => theftName(index))],
    servers.map(({ name, outcomes }) => [
      name,
      ...theftTitles.map((title) => theftCell(outcomes[title] ?? [])),
    ]),
  );
}

function theftCell(repeats: readonly Outcome[]): string {
  const verdicts = new Set(
    repeats.map((outcome) => judgeTheft(outcome).replace("unnoticed: ", "")),
  );
  return [...verdicts].join(" or ");
}

function traceList(
  traces: readonly Trace[],
  nameOf: (index: number) => string,
): string {
  return table(
    ["", "trace", "what happens", "threads"],
    traces.map(({ title, about, sources }, index) => [
      nameOf(index),
      title,
      about,
      sources.map(threadLink).join(", "),
    ]),
  );
}

/** A link to a thread, as GitHub writes one: owner/name#number. */
function threadLink(url: string): string {
  const [, owner, name, , number] = new URL(url).pathname.split("/");
  return `[${owner}/${name}#${number}](${url})`;
}
