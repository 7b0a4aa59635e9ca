import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type BatonServer,
  type Client,
  type Login,
  WrongAnswer,
} from "./server.ts";
import { quantile } from "./statistics.ts";

/** How many logins are made at once where nothing is measured. */
const LOGINS_AT_ONCE = 16;

/** Makes logins of the clients in turn. @param subjectOf left out: each login has a new subject */
export async function makeLogins(
  server: BatonServer,
  count: number,
  clients: readonly Client[],
  subjectOf: (login: number) => string = () => randomUUID(),
): Promise<Login[]> {
  const logins: Login[] = [];
  let started = 0;
  await concurrently(LOGINS_AT_ONCE, async () => {
    while (started < count) {
      const login = started++;
      const client = clients[login % clients.length]!;
      logins.push(await server.login(client, subjectOf(login)));
    }
  });
  return logins;
}

export interface Rate {
  perSecond: number;
  /** Milliseconds. */
  median: number;
  /** CPU time of the whole server per step, in milliseconds. */
  cpuMs: number;
}

/**
 * A closed loop: each chain does its next step when the last one is answered.
 *
 * @param step does one step, given the number of its chain and of the step in that chain
 */
export async function closedLoop(
  server: BatonServer,
  chains: number,
  seconds: number,
  step: (chain: number, turn: number) => Promise<unknown>,
): Promise<Rate> {
  const times: number[] = [];
  const cpu = await server.process.cpuSeconds();
  const start = performance.now();
  const end = start + seconds * 1000;
  await concurrently(chains, async (chain) => {
    for (let turn = 0; performance.now() < end; turn++) {
      const asked = performance.now();
      await step(chain, turn);
      times.push(performance.now() - asked);
    }
  });
  const elapsed = (performance.now() - start) / 1000;
  const used = (await server.process.cpuSeconds()) - cpu;
  return {
    perSecond: times.length / elapsed,
    median: quantile(times, 0.5),
    cpuMs: (used * 1000) / times.length,
  };
}

/** Refreshes logins in a closed loop: each chain has its own logins, and refreshes them in turn. */
export function refreshLoop(
  server: BatonServer,
  logins: readonly Login[],
  chains: number,
  seconds: number,
): Promise<Rate> {
  const own = Array.from(
    { length: Math.min(chains, logins.length) },
    (_, chain) => logins.filter((_, index) => index % chains === chain),
  );
  return closedLoop(server, own.length, seconds, (chain, turn) =>
    refreshOnce(server, own[chain]![turn % own[chain]!.length]!),
  );
}

/** Refreshes a login. @throws WrongAnswer if that does not succeed at the first try */
export async function refreshOnce(
  server: BatonServer,
  login: Login,
): Promise<void> {
  const outcome = await server.refresh(login);
  if (outcome !== "exchanged")
    throw new WrongAnswer(`The refresh failed: ${outcome}`);
}

export interface Arrival {
  /** The time of the request, in milliseconds from the start. It does not depend on other answers. */
  at: number;
  login: Login;
}

export interface Outcome {
  /** From the planned time of each request until its answer, in milliseconds. */
  latencies: number[];
  /** The largest number of unanswered requests. */
  maxInFlight: number;
  /** Answers of 503. The client retries after one second plus a random part of a second. */
  refusals: number;
  /** The largest delay of the generator behind its plan, in milliseconds. */
  lag: number;
}

/** An open loop: each request is sent at its time, whether or not the server keeps up. */
export async function openLoop(
  server: BatonServer,
  arrivals: readonly Arrival[],
): Promise<Outcome> {
  const outcome: Outcome = {
    latencies: [],
    maxInFlight: 0,
    refusals: 0,
    lag: 0,
  };
  const start = performance.now();
  let inFlight = 0;
  const ask = async ({ at, login }: Arrival): Promise<void> => {
    outcome.maxInFlight = Math.max(outcome.maxInFlight, ++inFlight);
    while ((await server.refresh(login)) === "unavailable") {
      outcome.refusals += 1;
      await sleep(1000 * (1 + Math.random()));
    }
    inFlight -= 1;
    outcome.latencies.push(performance.now() - start - at);
  };
  // The first error is kept until all requests are sent, because no request waits for another's answer.
  let firstError: unknown;
  const asked: Promise<void>[] = [];
  for (const arrival of arrivals.toSorted((one, other) => one.at - other.at)) {
    const early = arrival.at - (performance.now() - start);
    if (early > 0) await sleep(early);
    else outcome.lag = Math.max(outcome.lag, -early);
    asked.push(
      ask(arrival).catch((error: unknown) => void (firstError ??= error)),
    );
  }
  await Promise.all(asked);
  if (firstError !== undefined) throw firstError;
  return outcome;
}

/** Does the work `times` times concurrently. Throws the first error. */
async function concurrently(
  times: number,
  work: (which: number) => Promise<void>,
): Promise<void> {
  await Promise.all(Array.from({ length: times }, (_, which) => work(which)));
}
