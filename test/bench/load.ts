import { Connection } from "./connection.ts";
import type { Entrant } from "./entrant.ts";
import { type Login, logIn, verifyAll } from "./login.ts";
import { percentile } from "./statistics.ts";

/** The figures of one run under load. */
export interface Measurement {
  rotations: number;
  seconds: number;
  /** Latency of a rotation, as its client sees it. */
  p50_ms: number;
  p99_ms: number;
  /** CPU time of the server's process with all its threads. */
  cpu_seconds: number;
  /** Resident memory of the server's process at the end. */
  memory_bytes: number;
  /** The share of one core that the load generator used. Near 1, the generator is the limit, not the server. */
  generator_share: number;
}

/** Measures clients that each rotate their own token again and again, for a number of seconds. */
export async function measureChains(
  entrant: Entrant,
  chains: number,
  seconds: number,
): Promise<Measurement> {
  const logins = await logIn(entrant.client, chains);
  return measure(entrant, logins, chains, async (rotate, index) => {
    const login = logins[index]!;
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) await rotate(login);
  });
}

/** Measures logins that rotate once each, `atOnce` of them at a time. */
export function measureOnce(
  entrant: Entrant,
  logins: readonly Login[],
  atOnce: number,
): Promise<Measurement> {
  // All connections take from the same iterator, so that each login is taken once.
  const waiting = logins.values();
  return measure(entrant, logins, atOnce, async (rotate) => {
    for (const login of waiting) await rotate(login);
  });
}

/**
 * Measures while `work` runs on each of several connections.
 *
 * @throws Failure if an answer is wrong, or an access token of a login is not valid
 */
async function measure(
  entrant: Entrant,
  logins: readonly Login[],
  connections: number,
  work: (
    rotate: (login: Login) => Promise<void>,
    index: number,
  ) => Promise<void>,
): Promise<Measurement> {
  const { server } = entrant;
  const open = await connect(entrant, connections);
  const latencies: number[] = [];
  try {
    const cpuBefore = await server.cpuSeconds();
    const ownBefore = process.cpuUsage();
    const begin = performance.now();
    await Promise.all(
      open.map((connection, index) =>
        work(async (login) => {
          const asked = performance.now();
          await login.rotate(connection);
          latencies.push(performance.now() - asked);
        }, index),
      ),
    );
    const seconds = (performance.now() - begin) / 1000;
    const own = process.cpuUsage(ownBefore);
    const cpu_seconds = (await server.cpuSeconds()) - cpuBefore;
    const memory_bytes = await server.memory();
    await verifyAll(entrant, logins);
    return {
      rotations: latencies.length,
      seconds,
      p50_ms: percentile(latencies, 0.5),
      p99_ms: percentile(latencies, 0.99),
      cpu_seconds,
      memory_bytes,
      generator_share: (own.user + own.system) / 1e6 / seconds,
    };
  } finally {
    await Promise.all(open.map((connection) => connection.close()));
  }
}

async function connect(
  entrant: Entrant,
  connections: number,
): Promise<Connection[]> {
  const open = Array.from(
    { length: connections },
    () => new Connection(entrant),
  );
  await Promise.all(open.map((connection) => connection.open()));
  return open;
}
