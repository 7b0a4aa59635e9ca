/** What Cloudflare meters and a deployment of Baton uses. */
export interface Metered {
  workerRequests: number;
  /** Milliseconds of the Worker. Objects are not charged for CPU time. */
  workerCpuMs: number;
  /** RPC calls and alarms. */
  objectRequests: number;
  /** The time that objects are active, each charged for 128 MB of memory. */
  objectGbSeconds: number;
  rowsRead: number;
  rowsWritten: number;
  /** 1,000,000,000 bytes for a month. */
  objectStorageGbMonths: number;
  kvReads: number;
}

/**
 * Dollars per unit on the Workers Paid plan, beyond what the plan includes. From Cloudflare's price lists of
 * 22 November 2026 (developers.cloudflare.com: workers/platform/pricing,
 * durable-objects/platform/pricing, kv/platform/pricing).
 */
export const prices: Readonly<Metered> = {
  workerRequests: 0.3 / 1e6,
  workerCpuMs: 0.02 / 1e6,
  objectRequests: 0.15 / 1e6,
  objectGbSeconds: 12.5 / 1e6,
  rowsRead: 0.001 / 1e6,
  rowsWritten: 1 / 1e6,
  objectStorageGbMonths: 0.2,
  kvReads: 0.5 / 1e6,
};

/**
 * The prices of Workers Logs, which `wrangler.toml` turns on. They are per event
 * (workers/observability/logs/workers-logs) before 1 December 2026, and per byte from then on
 * (observability/pricing).
 */
export const logPrices = {
  event: 0.6 / 1e6,
  ingestedGb: 0.25,
  storedGbMonth: 0.1,
} as const;

/** How many days of a month Workers Logs stores an event. */
export const LOG_DAYS = 7;
/** Beyond this number, Workers Logs keeps one in a hundred events for the rest of the day. */
export const MAX_LOG_EVENTS_PER_DAY = 5e9;
