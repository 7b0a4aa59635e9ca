import { type IncomingMessage, Server } from "node:http";
import { setClock } from "./header.ts";
import { TIME_HEADER } from "./time-header.ts";

/** Loaded into a server on Node before its own code. Each request that comes in sets the clock. */

// oxlint-disable-next-line typescript/unbound-method -- it is called with the server as `this`
const { emit } = Server.prototype;

Server.prototype.emit = function emitAtItsTime(
  this: Server,
  event: string | symbol,
  ...values: unknown[]
): boolean {
  if (event === "request")
    setClock((values[0] as IncomingMessage).headers[TIME_HEADER]);
  return emit.call(this, event as "request", ...(values as never[]));
};
