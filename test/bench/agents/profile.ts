import type { ServerProcess } from "../server-process.ts";
import type { Stage } from "./play.ts";

/** A server with one configuration, which is one row of the tables. */
export interface Profile {
  name: string;
  role: "own" | "peer";
  version: string;
  runtime: string;
  /** The configuration, in the words of its documentation where it has some. */
  about: string;
  /** @param folder takes its data */
  start(folder: string): Promise<RunningProfile>;
}

export interface RunningProfile {
  stage: Stage;
  server: ServerProcess;
}
