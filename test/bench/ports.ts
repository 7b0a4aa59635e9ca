import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that outgoing connections take (32768 on Linux): a server finds its own free again. */
const FIRST = 24_000;

let next = FIRST;

/** @returns a port of the loopback address that is free, and not returned again */
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
