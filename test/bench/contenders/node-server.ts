import type { Contender } from "../contender.ts";
import { ServerProcess } from "../server-process.ts";
import { common, type Settings } from "./settings.ts";

/** The delay of a store that is reached over a network, even if it is in the next rack. */
const NEAREST_NETWORK_MS = 1;

/** The runtime of a contender on Node: the Node that runs the benchmark. */
export const node = `Node ${process.versions.node}`;

/** The store of a contender on Node: see `sqlite.ts`. */
export function storeText(sync: boolean): string {
  return `SQLite (node:sqlite, WAL, ${sync ? "fsync" : "no fsync"})`;
}

/**
 * The start functions of a contender on Node.
 *
 * @param script the server, which takes its `Settings` as its only argument
 * @param up a path that the server answers
 * @param sync true if each commit of its store is on the disk before it is acknowledged
 */
export function startedByNode(
  script: string,
  up: string,
  sync: boolean,
): Pick<Contender, "start" | "startWithFarStore"> {
  const startWith =
    (storeDelay: number): Contender["start"] =>
    (folder, port) => {
      const settings: Settings = { ...common, folder, port, sync, storeDelay };
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
