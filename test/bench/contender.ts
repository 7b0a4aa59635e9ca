import type { Guarantees } from "./guarantees/guarantees.ts";
import type { ServerProcess } from "./server-process.ts";

/**
 * A server whose refreshes are measured. All of them are asked the same way: by a form that is posted
 * to its token endpoint over one keep-alive connection a chain.
 */
export interface Contender {
  /** Its package, or what it is. */
  name: string;
  version: string;
  /** The floor is what the others are held against; peers are other people's. */
  role: "floor" | "own" | "peer";
  /** What it runs on and keeps its tokens in, for the table. */
  about: { runtime: string; store: string; accessToken: string };
  /**
   * Starts it, to listen on a port of the loopback address. What it stores goes into a folder; with the
   * folder and the port of an earlier start it goes on from there, as after a crash.
   *
   * @returns when it can be asked
   */
  start(folder: string, port: number): Promise<ServerProcess>;
  /** The same with its store a millisecond away, if it is in the server's own process otherwise. */
  startFar?: Contender["start"];
  /** Makes the one client, and what else logins need: once, after the first start on a folder. */
  prepare(server: ServerProcess): Promise<BenchClient>;
  /** Clients with other settings, by what sets them apart: what they are guaranteed is measured too. */
  variants?: Record<string, (server: ServerProcess) => Promise<BenchClient>>;
}

/** The client of a contender: whose refreshes are measured. */
export interface BenchClient {
  /** The path of the token endpoint. */
  tokenPath: string;
  /** Sent with each refresh, beside `grant_type` and `refresh_token`. */
  credentials: Readonly<Record<string, string>>;
  /** A new login. @returns its first refresh token */
  login(): Promise<string>;
  /** @throws Error if that is no access token that the server's resource servers would accept */
  verify(accessToken: string): Promise<void>;
  /** @throws AssertionError if less was measured than the server promises; a peer is only reported on */
  check?(measured: Guarantees): void;
}
