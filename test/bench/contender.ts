import type { Guarantees } from "./guarantees/guarantees.ts";
import type { ServerProcess } from "./server-process.ts";

/**
 * A server whose refreshes are measured. All contenders get the same request: a form that is posted to the
 * token endpoint, over one keep-alive connection per client.
 */
export interface Contender {
  /** The name of its package, or a description. */
  name: string;
  version: string;
  /** The others are compared with the floor; peers are servers of other projects. */
  role: "floor" | "own" | "peer";
  /** For the tables: what it runs on, what it stores tokens in, and the format of its access tokens. */
  about: {
    runtime: string;
    store: string;
    accessToken: string;
    /** True if each commit is on the disk before it is acknowledged. This is a setting and is not measured. */
    synced: boolean;
  };
  /**
   * Starts the server on a port of the loopback address. It stores its data in the folder. With the folder
   * and the port of an earlier start it continues with the data of that start, as after a crash.
   *
   * @returns when the server answers requests
   */
  start(folder: string, port: number): Promise<ServerProcess>;
  /** Starts it with its store a millisecond away. Only for a server whose store is in its own process. */
  startWithFarStore?: Contender["start"];
  /** Makes the client and everything that logins need. Called once, after the first start on a folder. */
  prepare(server: ServerProcess): Promise<BenchClient>;
  /** Clients with other settings, by a description of the setting. Their guarantees are measured too. */
  variants?: Record<string, (server: ServerProcess) => Promise<BenchClient>>;
}

/** The client of a contender, whose refreshes are measured. */
export interface BenchClient {
  /** The path of the token endpoint. */
  tokenPath: string;
  /** Parameters of each refresh, in addition to `grant_type` and `refresh_token`. */
  credentials: Readonly<Record<string, string>>;
  /** Makes a new login. @returns its first refresh token */
  login(): Promise<string>;
  /** @throws Error if the server's resource servers would refuse the access token */
  verify(accessToken: string): Promise<void>;
  /** @throws AssertionError if a promise of the server is broken. Peers have no such check. */
  check?(measured: Guarantees): void;
}
