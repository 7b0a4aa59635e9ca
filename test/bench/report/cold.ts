import type { EvictedRound } from "../cold/evicted.ts";
import type { FirstAnswer } from "../cold/first-answer.ts";
import {
  coldRatio,
  type ColdResults,
  type ColdServer,
  type RequestKind,
} from "../cold/results.ts";
import { median, type Spread } from "../statistics.ts";
import { figure, spreadText, table } from "./markdown.ts";

/** The figures of the cold path in Markdown, ratios first. */
export function coldTables(results: ColdResults): string {
  const { date, commit, load_average, plan, servers } = results;
  return `Measured on ${date.slice(0, 10)}, Baton at commit ${commit}, load average ${figure(load_average)} before it.
${plan.starts} starts of each server and request; ${plan.rounds} rounds of ${plan.families} evicted objects each. One more of each is not counted.

#### First answer after the process starts: a token that is refused (less is better)

${firstTable("a refused token", servers)}

#### First refresh after the process starts (less is better)

${firstTable("a refresh", servers)}

#### The same in milliseconds

${firstAbsoluteTable(servers)}

#### A refresh whose object was evicted (less is better)

${evictedTable(servers)}`;
}

function firstTable(kind: RequestKind, servers: readonly ColdServer[]): string {
  const [hono, honoBound] = servers;
  return table(
    [
      "",
      "time, relative to Hono with one route",
      "CPU, the same",
      `time, relative to ${honoBound!.name}`,
      "CPU, the same",
    ],
    servers.map(({ name, first }) => [
      name,
      ...[hono!, honoBound!].flatMap((other) =>
        [answerTime, answerCpu].map((ofWhat) =>
          spreadText(coldRatio(ofWhat, first[kind], other.first[kind])),
        ),
      ),
    ]),
  );
}

function firstAbsoluteTable(servers: readonly ColdServer[]): string {
  const columns: ((answer: FirstAnswer) => number)[] = [
    answerTime,
    answerCpu,
    ({ cpu_since_start_ms }) => cpu_since_start_ms,
  ];
  return table(
    [
      "",
      "refused token: time",
      "CPU",
      "CPU since the start of the process",
      "refresh: time",
      "CPU",
      "CPU since the start of the process",
    ],
    servers.map(({ name, first }) => [
      name,
      ...Object.values(first).flatMap((answers) =>
        columns.map((column) => figure(median(answers.map(column)))),
      ),
    ]),
  );
}

function evictedTable(servers: readonly ColdServer[]): string {
  const columns: ((round: EvictedRound) => number)[] = [
    evictedTime,
    ({ awake }) => awake.p50_ms,
    evictedCpu,
    ({ awake }) => awake.cpu_ms,
  ];
  return table(
    [
      "",
      "time, relative to the floor",
      "CPU, relative to the floor",
      "time, ms",
      "time of the next refresh, ms",
      "CPU, ms",
      "CPU of the next refresh, ms",
    ],
    servers.flatMap(({ name, evicted }) =>
      evicted === undefined
        ? []
        : [
            [
              name,
              spreadText(evictedRatio(servers, evictedTime, evicted)),
              spreadText(evictedRatio(servers, evictedCpu, evicted)),
              ...columns.map((column) => figure(median(evicted.map(column)))),
            ],
          ],
    ),
  );
}

function answerTime({ answer_ms }: FirstAnswer): number {
  return answer_ms;
}

export function answerCpu({ cpu_ms }: FirstAnswer): number {
  return cpu_ms;
}

function evictedTime({ evicted }: EvictedRound): number {
  return evicted.p50_ms;
}

export function evictedCpu({ evicted }: EvictedRound): number {
  return evicted.cpu_ms;
}

/** A figure of an evicted object's refresh, as a multiple of the floor's. */
export function evictedRatio(
  servers: readonly ColdServer[],
  ofWhat: (round: EvictedRound) => number,
  rounds: readonly EvictedRound[],
): Spread {
  const floor = servers.find(({ name }) => name === "the floor");
  return coldRatio(ofWhat, rounds, floor?.evicted ?? []);
}
