import type { Trace } from "../trace.ts";
import { honestTraces } from "./honest.ts";
import { theftTraces } from "./theft.ts";

export { honestTraces, theftTraces };

/** All traces, in the order in which they are shown. */
export const traces: readonly Trace[] = [...honestTraces, ...theftTraces];

/** The holders whose newest token is tried at the end. */
export function askedIn({ holders, asked }: Trace): readonly string[] {
  return asked ?? Object.keys(holders);
}
