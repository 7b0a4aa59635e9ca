import type { Problem } from "./errors.ts";

/** What one log line says of one request. Never a token, a secret or a code: only what is ours. */
export interface LogFields {
  grant_type?: string;
  /** Only of a client that exists: anything else could be a secret in the wrong field. */
  client_id?: string;
  /** What /health has found. */
  problems?: Problem[];
  /** A used token came back inside its window, and got the successor that was there. */
  retried?: true;
}

/** Collects what a request's log line will say; `app.ts` writes it. */
export class RequestLog {
  readonly fields: LogFields = {};
  /** Milliseconds by step. */
  readonly durations: Record<string, number> = {};
  readonly #start = performance.now();

  /** Does something and notes how long it took, also when it failed. */
  async measure<T>(step: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.durations[step] = (this.durations[step] ?? 0) + elapsed(start);
    }
  }

  get total(): number {
    return elapsed(this.#start);
  }
}

/** Whole microseconds; a clock in Workers stands still between I/O. */
function elapsed(start: number): number {
  return Math.round((performance.now() - start) * 1000) / 1000;
}
