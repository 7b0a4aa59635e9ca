import type { Context } from "hono";
import type { RequestLog } from "../oauth/request-log.ts";
import type { Server } from "../oauth/server.ts";

/** What Hono carries through a request. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    /** The server, or OAuthError `configuration_malformed`. */
    connect: () => Promise<Server>;
    log: RequestLog;
  };
}

/** An endpoint: one file, and one line in the registry (`index.ts`). */
export interface Endpoint {
  path: string;
  method: "GET" | "POST";
  /** Whether pages of other origins may call it. */
  cors: boolean;
  /** What the server's metadata says because this endpoint is there (RFC 8414 section 2). */
  metadata?: (issuer: string) => Record<string, unknown>;
  respond: (c: Context<AppEnv>) => Promise<Response>;
}

/** The request's one look at the clock: whole seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}
