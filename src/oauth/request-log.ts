import type { OAuthError, Problem } from "./errors.ts";
import {
  type AuditEvent,
  type Concerned,
  type EventFields,
  type EventOrigin,
  keyedHash,
  type RequestEventName,
} from "./events.ts";
import { dataPoint, type DataPoint, type RequestMetrics } from "./metrics.ts";

/** The fields of a request's log line that are set while it runs. Never a token, a secret or a code. */
export interface LogFields {
  grant_type?: string;
  /** The administrator: `root`, `token:NAME`, `access:EMAIL` or `rpc:ENTRYPOINT`. */
  actor?: string;
  /** The id of a client that exists. Any other value could be a secret in the wrong field. */
  client_id?: string;
  /** The decision of the sign-in page: `authorized`, or an error such as `access_denied`. */
  decision?: string;
  /** The login that an administrator has started or authorized, so that those of one administrator can be found. */
  grant_id?: string;
  /** The problems that `/health` found. */
  problems?: Problem[];
  /** A used token came back, and its client got the newest token, which existed already. */
  retried?: true;
  /** The client has proven to be the holder of the used token, and was later than the retry window. */
  caught_up?: true;
  /** The scopes that were dropped because the client may not have them, at most ten. */
  dropped_scopes?: string[];
  /** The number of scopes that were dropped because the catalogue does not have them. */
  unknown_scopes?: number;
}

/** The end of a request. */
export interface Ending {
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
  readonly #events: ({ event: RequestEventName } & Concerned)[] = [];
  /** The duration of each step, in milliseconds. */
  readonly #durations: Record<string, number> = {};
  readonly #start = performance.now();
  #step: { name: string; start: number } | undefined;

  /** Begins a step of the request and ends the step before. The log line has the duration of each. */
  begin(name: string): void {
    this.#endStep();
    this.#step = { name, start: performance.now() };
  }

  /** Adds an event. It is written as a line of its own, and sent where a queue or a webhook is bound. */
  addEvent<N extends RequestEventName>(
    event: N,
    fields: EventFields<N> & Concerned,
  ): void {
    this.#events.push({ event, ...fields });
  }

  /** Adds the event of a login that a client or an administrator has ended. */
  addRevocation(login: Concerned): void {
    const by = this.fields.actor === undefined ? "client" : "administrator";
    this.addEvent("family.revoked", { ...login, by });
  }

  /** Adds the event of a refusal, if it is one that operators count. */
  addRefusal(refusal: OAuthError): void {
    const { client_id, limit } = refusal.details;
    if (refusal.toJSON().error === "invalid_client")
      this.addEvent("client_authentication.failed", {
        client_id,
        reason: refusal.reason,
      });
    if (limit) this.addEvent("limit.reached", limit);
  }

  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  /** Completes the events and writes them to the log, one line each. @returns them, to be sent */
  async writeEvents({
    request_id,
    key,
    ...origin
  }: EventOrigin): Promise<AuditEvent[]> {
    const { actor, client_id } = this.fields;
    const [network, user_agent] = await Promise.all([
      keyedHash(key, "network", origin.network),
      keyedHash(key, "user_agent", origin.user_agent),
    ]);
    const time = Math.floor(Date.now() / 1000);
    const events = this.#events.map(({ event, ...fields }, position) => ({
      event,
      event_id: `${request_id}.${position + 1}`,
      time,
      request_id,
      actor,
      client_id,
      network,
      user_agent,
      ...defined(fields),
    }));
    for (const event of events) console.log(JSON.stringify(event));
    return events;
  }

  /** Writes one line per request, as JSON, because Workers Logs makes its fields searchable. */
  write({ refusal, ...ending }: Ending): void {
    this.#endStep();
    const { problems, cause, client_id, reuse } = refusal?.details ?? {};
    // JSON leaves out what is undefined.
    const line = JSON.stringify({
      event: "request",
      ...ending,
      client_id,
      ...this.fields,
      outcome: outcomeOf(refusal, ending.status),
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

  /** Makes the data point of the request, for the metrics. */
  dataPoint(
    { refusal, endpoint, method, status }: Ending,
    where: Pick<RequestMetrics, "location" | "version">,
  ): DataPoint {
    this.#endStep();
    const { client_id, grant_type, retried, caught_up } = this.fields;
    const { looks_like } = refusal?.details.reuse ?? {};
    return dataPoint({
      endpoint,
      method,
      status,
      outcome: outcomeOf(refusal, status),
      reason: refusal?.reason,
      grant_type,
      client_id: client_id ?? refusal?.details.client_id,
      reuse: looks_like ?? (caught_up ? "catch_up" : retried && "retry"),
      ...where,
      duration_ms: elapsed(this.#start),
      durations_ms: this.#durations,
    });
  }

  #endStep(): void {
    if (!this.#step) return;
    const { name, start } = this.#step;
    this.#durations[name] = (this.#durations[name] ?? 0) + elapsed(start);
    this.#step = undefined;
  }
}

/** Returns the error of the answer, or `ok`, or `failing` for a failure that is not a refusal. */
function outcomeOf(refusal: OAuthError | undefined, status: number): string {
  return refusal?.toJSON().error ?? (status < 400 ? "ok" : "failing");
}

/** Leaves out the fields that are undefined, so that they do not replace those of the request. */
function defined<T extends object>(fields: T): Partial<T> {
  const entries = Object.entries(fields);
  return Object.fromEntries(
    entries.filter(([, value]) => value !== undefined),
  ) as Partial<T>;
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
