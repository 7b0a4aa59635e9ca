import { TestRunner } from "vitest";

/**
 * Keeps the log line of every request of the running test file, so that a test can read the precise reason of
 * a refusal, which the response does not have.
 */

/** The fields that the tests read of a request's log line (`src/oauth/request-log.ts`). */
interface RequestLine {
  request_id: string;
  method: string;
  reason?: string;
}

declare module "vitest" {
  interface TaskMeta {
    /** The reasons that the test has read, for `reasons-reporter.ts`. */
    reasons?: string[];
  }
}

const lines = new Map<string, RequestLine>();
let newestCall: RequestLine | undefined;

/** Keeps what was written to the console, if it is the log line of a request. */
export function keepRequestLine(written: unknown): void {
  if (typeof written !== "string" || !written.startsWith('{"event":"request"'))
    return;
  const line = JSON.parse(written) as RequestLine;
  lines.set(line.request_id, line);
  if (line.method === "RPC") newestCall = line;
}

/** Reads the precise reason of a refusal. Undefined if the response is not a refusal. */
export function reasonOf({ headers }: Response): string | undefined {
  const id = headers.get("X-Request-Id") ?? "none";
  const line = lines.get(id);
  if (!line) throw new Error(`The log has no line of request ${id}.`);
  return noteReason(line);
}

/** Calls a method of an RPC entrypoint. @returns its answer, and the precise reason if it is a refusal */
export async function answerOf(
  call: () => PromiseLike<unknown>,
): Promise<[answer: unknown, reason: string | undefined]> {
  newestCall = undefined;
  const answer = await call();
  if (!newestCall) throw new Error("The log has no line of this call.");
  return [answer, noteReason(newestCall)];
}

/** Notes the reason on the running test, where `reasons-reporter.ts` reads it. */
function noteReason({ reason }: RequestLine): string | undefined {
  const meta = TestRunner.getCurrentTest()?.meta;
  if (meta && reason !== undefined)
    meta.reasons = [...new Set(meta.reasons).add(reason)];
  return reason;
}
