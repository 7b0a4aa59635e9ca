import { randomUUID } from "node:crypto";
import { closedLoop, makeLogins, refreshLoop } from "../load.ts";
import { figure, table } from "../markdown.ts";
import type { Scenario } from "../scenario.ts";
import { BatonServer, type Client } from "../server.ts";

/**
 * Logins by `POST /admin/grants` with a slow KV. Each needs the current client record and the current scopes.
 * It asks the `KvRecordWriter` object of each, which exists once in the world.
 */
export const loginQueue: Scenario = {
  name: "login-queue",
  about: "logins that a back end starts, with a KV whose reads take 10 ms",

  async run({ port, smoke }) {
    const seconds = smoke ? 0.5 : 3;
    await using server = await BatonServer.start(port, true);
    const clients: Client[] = [];
    while (clients.length < 32) clients.push(await server.makeClient());
    const warm = await makeLogins(server, 100, clients);
    const rows: string[][] = [];
    for (const [chains, used] of [
      [1, 1],
      [32, 1],
      [32, 32],
    ] as const) {
      const logins = await closedLoop(server, chains, seconds, (chain) =>
        server.login(clients[chain % used]!, randomUUID()),
      );
      rows.push([
        `Logins, ${chains} at a time, of ${used === 1 ? "1 client" : `${used} clients`}`,
        figure(logins.perSecond),
        figure(logins.median),
      ]);
    }
    const refreshes = await refreshLoop(server, warm, 32, seconds);
    rows.push([
      "Refreshes, 32 at a time, of 32 clients",
      figure(refreshes.perSecond),
      figure(refreshes.median),
    ]);
    return table(["", "per second", "median, ms"], rows);
  },
};
