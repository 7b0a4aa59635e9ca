import type { Contender } from "../contender.ts";
import { ServerProcess } from "../server-process.ts";
import { common, type Settings } from "./settings.ts";

/** The delay of a store that is reached over a network, even if it is in the next rack. */
const NEAREST_NETWORK_MS = 1;

/** The runtime of a contender on Node: the Node that runs the benchmark. */
export const node = `Node ${process.versions.node}`;

/** The store of a contender on Node: see `sqlite.ts`. */
export const store = "SQLite (node:sqlite, WAL, fsync)";

/**
 * The start functions of a contender on Node.
 *
 * @param script the server, which takes its `Settings` as its only argument
 * @param up a path that the server answers
 */
export function startedByNode(
  script: string,
  up: string,
): Pick<Contender, "start" | "startWithFarStore"> {
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
  return {
    start: startWith(0),
    startWithFarStore: startWith(NEAREST_NETWORK_MS),
  };
}
