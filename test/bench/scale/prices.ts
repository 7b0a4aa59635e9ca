/** What Cloudflare meters, and a deployment of Baton uses. */
export interface Metered {
  workerRequests: number;
  /** Milliseconds of the Worker's. What runs in an object is not charged by its CPU time. */
  workerCpuMs: number;
  /** RPC calls and alarms. */
  objectRequests: number;
  /** The time that objects are at work, each as if it had the 128 MB that it may have. */
  objectGbSeconds: number;
  rowsRead: number;
  rowsWritten: number;
  /** 1,000,000,000 bytes, for a month. */
  objectStorageGbMonths: number;
  kvReads: number;
}

/**
 * Dollars for one, on the Workers Paid plan, beyond what the plan includes. From Cloudflare's price
 * lists as of 22 November 2026 (developers.cloudflare.com: workers/platform/pricing,
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
 * Workers Logs, which `wrangler.toml` turns on. Its price list changes on 1 December 2026: by the event
 * before (workers/observability/logs/workers-logs), by the byte from then on (observability/pricing).
 */
export const logPrices = {
  event: 0.6 / 1e6,
  ingestedGb: 0.25,
  storedGbMonth: 0.1,
} as const;

/** How long Workers Logs keeps an event: it is stored for so much of a month of 30 days. */
export const LOG_DAYS = 7;
/** More than that in a day, and one in a hundred is kept for the rest of it. */
export const MAX_LOG_EVENTS_A_DAY = 5e9;
