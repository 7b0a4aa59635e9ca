import type { Contender } from "../contender.ts";
import { ServerProcess } from "../server-process.ts";
import { common, type Settings } from "./settings.ts";

/** Of a store that is reached over a network, if only the next rack's. */
const NEAREST_NETWORK_MS = 1;

/** What runs a contender on Node, the one that runs the benchmark. */
export const node = `Node ${process.versions.node}`;

/** The store of a contender on Node: see `sqlite.ts`. */
export const store = "SQLite (node:sqlite, WAL, fsync)";

/**
 * Starts a contender on Node.
 *
 * @param script its server, which takes its `Settings` as its only argument
 * @param up a path that it answers
 */
export function onNode(
  script: string,
  up: string,
): Pick<Contender, "start" | "startFar"> {
  const startWith =
    (storeDelay: number): Contender["start"] =>
    (folder, port) => {
      const settings: Settings = { ...common, folder, port, storeDelay };
      return ServerProcess.start({
        command: process.execPath,
        args: [script, JSON.stringify(settings)],
        env: { NODE_ENV: "production" },
        port,
        up,
        folder,
      });
    };
  return { start: startWith(0), startFar: startWith(NEAREST_NETWORK_MS) };
}
