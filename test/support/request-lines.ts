import { TestRunner } from "vitest";

/**
 * The log line of every request of the running test file, so that a test can see the precise reason of
 * a refusal, which the wire does not have.
 */

/** What the tests read of a request's line (`src/oauth/request-log.ts`). */
interface RequestLine {
  request_id: string;
  method: string;
  reason?: string;
}

declare module "vitest" {
  interface TaskMeta {
    /** The reasons that the test has seen, for `reasons-reporter.ts`. */
    reasons?: string[];
  }
}

const lines = new Map<string, RequestLine>();
let newestCall: RequestLine | undefined;

/** Keeps what was written to the console, if it is the line of a request. */
export function keepRequestLine(written: unknown): void {
  if (typeof written !== "string" || !written.startsWith('{"event":"request"'))
    return;
  const line = JSON.parse(written) as RequestLine;
  lines.set(line.request_id, line);
  if (line.method === "RPC") newestCall = line;
}

/** The precise reason of a response's refusal; undefined where the response is not a refusal. */
export function reasonOf({ headers }: Response): string | undefined {
  const id = headers.get("X-Request-Id") ?? "none";
  const line = lines.get(id);
  if (!line) throw new Error(`The log has no line of request ${id}.`);
  return seen(line);
}

/** The answer of a method of an RPC entrypoint, and the precise reason of its refusal. */
export async function answerOf(
  call: () => PromiseLike<unknown>,
): Promise<[answer: unknown, reason: string | undefined]> {
  newestCall = undefined;
  const answer = await call();
  if (!newestCall) throw new Error("The log has no line of this call.");
  return [answer, seen(newestCall)];
}

/** Notes the reason on the running test, which is how it reaches `reasons-reporter.ts`. */
function seen({ reason }: RequestLine): string | undefined {
  const meta = TestRunner.getCurrentTest()?.meta;
  if (meta && reason !== undefined)
    meta.reasons = [...new Set(meta.reasons).add(reason)];
  return reason;
}
