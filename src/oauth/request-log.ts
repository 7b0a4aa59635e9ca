import type { OAuthError, Problem } from "./errors.ts";

/** What one log line says of one request. Never a token, a secret or a code: only what is ours. */
export interface LogFields {
  grant_type?: string;
  /** Only of a client that exists: anything else could be a secret in the wrong field. */
  client_id?: string;
  /** What the login has said: `authorized`, or an error such as `access_denied`. */
  decision?: string;
  /** What /health has found. */
  problems?: Problem[];
  /** A used token came back inside its window, and got the successor that was there. */
  retried?: true;
}

/** How a request ended. */
interface Ending {
  request_id: string;
  /** The route, never the path: a path may hold a secret. */
  endpoint: string;
  method: string;
  status: number;
  refusal: OAuthError | undefined;
}

/** Collects what a request's log line will say, and writes it. */
export class RequestLog {
  readonly fields: LogFields = {};
  /** What the request has brought about that is worth a line of its own. */
  readonly #events: { event: string }[] = [];
  /** Milliseconds by step. */
  readonly #durations: Record<string, number> = {};
  readonly #start = performance.now();
  #step: { name: string; start: number } | undefined;

  /** A step of the request begins, and the one before ends: the log says how long each took. */
  begin(name: string): void {
    this.#endStep();
    this.#step = { name, start: performance.now() };
  }

  /** Something has happened that somebody may count: a line of its own, beside the request's. */
  addEvent(event: string, fields: Record<string, string>): void {
    this.#events.push({ event, ...fields });
  }

  /** One line a request, as JSON: Workers Logs makes every field of it searchable. */
  write({ refusal, ...ending }: Ending): void {
    this.#endStep();
    const { request_id } = ending;
    const { client_id: by } = this.fields;
    for (const event of this.#events)
      console.log(JSON.stringify({ ...event, request_id, client_id: by }));
    const { problems, cause, client_id, reuse } = refusal?.circumstances ?? {};
    const line = JSON.stringify({
      event: "request",
      ...ending,
      ...(client_id !== undefined && { client_id }),
      ...this.fields,
      outcome:
        refusal?.toJSON().error ?? (ending.status < 400 ? "ok" : "failing"),
      ...(refusal && { reason: refusal.reason }),
      ...(problems && { problems }),
      ...(reuse && { reuse }),
      ...(cause instanceof Error && {
        fault: { name: cause.name, stack: cause.stack },
      }),
      duration_ms: elapsed(this.#start),
      durations_ms: this.#durations,
    });
    // A fault of ours may leave by a redirect.
    if ((refusal?.status ?? ending.status) >= 500) console.error(line);
    else console.log(line);
  }

  #endStep(): void {
    if (!this.#step) return;
    const { name, start } = this.#step;
    this.#durations[name] = (this.#durations[name] ?? 0) + elapsed(start);
    this.#step = undefined;
  }
}

/** Whole microseconds; a clock in Workers stands still between I/O. */
function elapsed(start: number): number {
  return Math.round((performance.now() - start) * 1000) / 1000;
}
