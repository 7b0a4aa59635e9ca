import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { setClock } from "./header.js";
import { TIME_HEADER } from "./time-header.ts";

/** Loaded into a server on Node before its own code. Each request that comes in sets the clock. */

// Node says this before it hands the request to the server.
subscribe("http.server.request.start", (message) => {
  const { request } = message as { request: IncomingMessage };
  setClock(request.headers[TIME_HEADER]);
});
