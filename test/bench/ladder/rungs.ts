import { join } from "node:path";
import type { Contender } from "../contender.ts";
import { baton } from "../contenders/baton.ts";
import { floor } from "../contenders/floor.ts";
import { secretsIn } from "../keys.ts";
import { buildUpload, startWorkerd } from "../workerd.ts";

const wranglerToml = join(import.meta.dirname, "wrangler.toml");

/** Baton's duties beyond the floor, by the names of the steps: descriptions for the table. */
export const duties: Record<string, string> = {
  client: "the client's secret: one SHA-256, compared in constant time",
  secret:
    "the family's secret: one SHA-256, so that leaked keys alone can't forge a token",
  successor:
    "the next token's own MAC, so that a forged token costs no call of an object",
  record: "a record of 14 fields instead of a number",
  attempt:
    "a call with 13 fields, so that one atomic step decides on scopes, window and lifetimes",
  claims: "the claims of RFC 9068",
  headers: "seven headers: no-store, CORS, a request id",
  hono: "a router, and the middleware that all routes share",
  log: "one line of JSON in the log",
};

/** The floor, each duty alone, all of them together, and Baton. */
export function rungs(): Contender[] {
  const all = Object.keys(duties);
  return [
    floor,
    rung("no duty, as a control", []),
    ...all.map((step) => rung(step, [step])),
    rung("all duties", all),
    baton,
  ];
}

function rung(name: string, steps: readonly string[]): Contender {
  return {
    ...floor,
    name,
    async start(folder, port) {
      const worker = await buildUpload(wranglerToml, folder);
      const { PRIVATE_KEY, MAC_KEY } = secretsIn(folder);
      const variables = { PRIVATE_KEY, MAC_KEY, STEPS: steps.join() };
      return startWorkerd({ worker, variables, kv: [] }, folder, port);
    },
  };
}
