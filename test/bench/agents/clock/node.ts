import { type IncomingMessage, Server } from "node:http";
import { setClock } from "./header.js";
import { TIME_HEADER } from "./time-header.ts";

/** Loaded into a server on Node before its own code. Each request that comes in sets the clock. */

const { emit } = Server.prototype;

Server.prototype.emit = function emitAtItsTime(
  this: Server,
  event: string | symbol,
  ...values: unknown[]
): boolean {
  if (event === "request")
    setClock((values[0] as IncomingMessage).headers[TIME_HEADER]);
  return Reflect.apply(emit, this, [event, ...values]) as boolean;
};
