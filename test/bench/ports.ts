import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below the ports of outgoing connections (from 32768 on Linux), so that a server finds its port free when it
 * starts again.
 */
const FIRST = 24_000;

let next = FIRST;

/** @returns a free port of the loopback address, a different one each time */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next++;
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
