import { onTestFinished } from "vitest";
import {
  type Differences,
  PrebuiltServer,
} from "../support/prebuilt-server.ts";

/** A fault that an operator could make. */
export interface Fault extends Differences {
  /** Records that somebody has written into KV by hand. */
  records?: Record<string, string>;
}

/** Starts a real local server with a fault. @returns the environment of an operator, and its secrets */
export async function serverWithFault({ records, ...fault }: Fault = {}) {
  const server = await PrebuiltServer.start(fault);
  onTestFinished(() => server.stop());
  if (records !== undefined) await server.put(records);
  return {
    BATON_URL: server.url,
    BATON_ADMIN_TOKEN: server.secrets.ADMIN_TOKEN,
  };
}
