import type { OAuthError, Problem } from "./errors.ts";

/** The fields of a request's log line that are set while it runs. Never a token, a secret or a code. */
export interface LogFields {
  grant_type?: string;
  /** The administrator: `root`, `token:NAME`, `access:EMAIL` or `rpc:ENTRYPOINT`. */
  actor?: string;
  /** The id of a client that exists. Any other value could be a secret in the wrong field. */
  client_id?: string;
  /** The decision of the sign-in page: `authorized`, or an error such as `access_denied`. */
  decision?: string;
  /** The problems that `/health` found. */
  problems?: Problem[];
  /** A used token came back inside the retry window and got the successor that exists. */
  retried?: true;
  /** The scopes that were dropped because the client may not have them, at most ten. */
  dropped_scopes?: string[];
  /** The number of scopes that were dropped because the catalogue does not have them. */
  unknown_scopes?: number;
}

/** The end of a request. */
interface Ending {
  request_id: string;
  /** The route. Never the path, because a path may contain a secret. */
  endpoint: string;
  method: string;
  status: number;
  refusal: OAuthError | undefined;
}

/** Collects the fields of a request's log line, and writes the line. */
export class RequestLog {
  readonly fields: LogFields = {};
  /** Events that get a line of their own. */
  readonly #events: { event: string }[] = [];
  /** The duration of each step, in milliseconds. */
  readonly #durations: Record<string, number> = {};
  readonly #start = performance.now();
  #step: { name: string; start: number } | undefined;

  /** Begins a step of the request and ends the step before. The log line has the duration of each. */
  begin(name: string): void {
    this.#endStep();
    this.#step = { name, start: performance.now() };
  }

  /** Adds an event that operators may count. It is written as a line of its own. */
  addEvent(
    event: string,
    fields: Record<string, string | number | boolean>,
  ): void {
    this.#events.push({ event, ...fields });
  }

  /** Writes one line per request, as JSON, because Workers Logs makes its fields searchable. */
  write({ refusal, ...ending }: Ending): void {
    this.#endStep();
    const { request_id } = ending;
    const { actor, client_id: eventClient } = this.fields;
    for (const event of this.#events)
      console.log(
        JSON.stringify({
          ...event,
          request_id,
          actor,
          client_id: eventClient,
        }),
      );
    const { problems, cause, client_id, reuse } = refusal?.details ?? {};
    // JSON leaves out what is undefined.
    const line = JSON.stringify({
      event: "request",
      ...ending,
      client_id,
      ...this.fields,
      outcome:
        refusal?.toJSON().error ?? (ending.status < 400 ? "ok" : "failing"),
      reason: refusal?.reason,
      problems: problems ?? this.fields.problems,
      reuse,
      fault: describeFault(cause),
      duration_ms: elapsed(this.#start),
      durations_ms: this.#durations,
    });
    // A fault of the server may be answered with a redirect, so the status alone does not show it.
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

function describeFault(cause: unknown) {
  return cause instanceof Error
    ? { name: cause.name, stack: cause.stack }
    : undefined;
}

/** Milliseconds, rounded to microseconds. The clock of a Worker advances only at I/O. */
function elapsed(start: number): number {
  return Math.round((performance.now() - start) * 1000) / 1000;
}
