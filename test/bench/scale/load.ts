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

/** Makes logins, the clients taking turns. @param subjectOf left out: each has a subject of its own */
export async function makeLogins(
  server: BatonServer,
  count: number,
  clients: readonly Client[],
  subjectOf: (login: number) => string = () => randomUUID(),
): Promise<Login[]> {
  const logins: Login[] = [];
  let started = 0;
  await together(LOGINS_AT_ONCE, async () => {
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
  /** CPU time of the whole server for one, in milliseconds. */
  cpuMs: number;
}

/**
 * A closed loop: chains, each of which does the next when the last is answered.
 *
 * @param step does one, the so-manieth of its chain
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
  await together(chains, async (chain) => {
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

/** Refreshes logins in a closed loop: each chain has its own ones, and takes them in turn. */
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
    exchange(server, own[chain]![turn % own[chain]!.length]!),
  );
}

/** A refresh that has to succeed at once. */
export async function exchange(
  server: BatonServer,
  login: Login,
): Promise<void> {
  const outcome = await server.refresh(login);
  if (outcome !== "exchanged") throw new WrongAnswer(`A refresh: ${outcome}`);
}

export interface Arrival {
  /** When it was to be asked, in milliseconds from the start, whatever became of the others. */
  at: number;
  login: Login;
}

export interface Outcome {
  /** From when each was to be asked until it was answered, in milliseconds. */
  latencies: number[];
  /** The most that were asked and not yet answered. */
  mostInFlight: number;
  /** Answers of 503. Whoever got one comes again after a second and a random part of one. */
  refusals: number;
  /** How much later than it should the generator was at the worst, in milliseconds. */
  lag: number;
}

/** An open loop: everyone comes when it is their time, whether the server keeps up or not. */
export async function openLoop(
  server: BatonServer,
  arrivals: readonly Arrival[],
): Promise<Outcome> {
  const outcome: Outcome = {
    latencies: [],
    mostInFlight: 0,
    refusals: 0,
    lag: 0,
  };
  const start = performance.now();
  let inFlight = 0;
  const ask = async ({ at, login }: Arrival): Promise<void> => {
    outcome.mostInFlight = Math.max(outcome.mostInFlight, ++inFlight);
    while ((await server.refresh(login)) === "unavailable") {
      outcome.refusals += 1;
      await sleep(1000 * (1 + Math.random()));
    }
    inFlight -= 1;
    outcome.latencies.push(performance.now() - start - at);
  };
  // Kept until all are asked: nobody waits for an answer before.
  let fault: unknown;
  const asked: Promise<void>[] = [];
  for (const arrival of arrivals.toSorted((one, other) => one.at - other.at)) {
    const early = arrival.at - (performance.now() - start);
    if (early > 0) await sleep(early);
    else outcome.lag = Math.max(outcome.lag, -early);
    asked.push(ask(arrival).catch((error: unknown) => void (fault ??= error)));
  }
  await Promise.all(asked);
  if (fault !== undefined) throw fault;
  return outcome;
}

/** Does something so many times at once; the first fault is everybody's. */
async function together(
  times: number,
  work: (which: number) => Promise<void>,
): Promise<void> {
  await Promise.all(Array.from({ length: times }, (_, which) => work(which)));
}
