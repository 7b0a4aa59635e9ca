import {
  createExecutionContext,
  waitOnExecutionContext,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import worker from "../../src/index.ts";
import { TestServer } from "./server.ts";

/** Makes a server with some bindings replaced. Each answer comes when the work behind it is done, too. */
export function waitingServerWith(
  overrides: Record<string, unknown> = {},
): TestServer {
  const bindings = { ...env, ...overrides };
  return new TestServer(async (request) => {
    const context = createExecutionContext();
    const response = await worker.fetch(request, bindings, context);
    await waitOnExecutionContext(context);
    return response;
  });
}
