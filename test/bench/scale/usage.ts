import {
  familyExpiry,
  introspection,
  login,
  type Operation,
  refresh,
  renewedAlarm,
} from "./operations.ts";
import { LOG_DAYS, logPrices, type Metered, prices } from "./prices.ts";
import { expectedReads, KEEP_SECONDS, zipf } from "./zipf-cache.ts";

/** A month of 30 days, the unit in which storage is charged. */
const DAYS = 30;
const DAY_SECONDS = 86_400;
/** The memory that each object is charged for, in GB. */
const OBJECT_GB = 0.128;

/** How a deployment is used: everything that comes neither from Cloudflare's prices nor from Baton's code. */
export interface Usage {
  /** Live families at a time. */
  families: number;
  refreshesPerFamilyDay: number;
  introspectionsPerFamilyDay: number;
  /** The refreshes of the busiest hour, divided by those of an average hour. */
  peakToAverage: number;
  /** The lifetime of a family, after which a new login replaces it. */
  familyLifeDays: number;
  /** The lifetime of a refresh token, after which a family's alarm comes and is set again. */
  refreshTokenDays: number;
  familiesPerSubject: number;
  /** Clients in use. Their refreshes are distributed by Zipf's law. */
  clients: number;
  /** Isolates that serve at a time, over all locations. Cloudflare decides the number and does not publish it. */
  isolates: number;
  cpuMsPerRequest: number;
  /** How long an object is active for one call. */
  objectMsPerCall: number;
  bytesPerFamily: number;
  bytesPerSubject: number;
  /** The share of requests that are logged, 0 to 1 (`head_sampling_rate`). */
  logSampling: number;
  bytesPerLogEvent: number;
}

/** Requests per second that one isolate serves in the busiest hour. A guess. */
const REQUESTS_PER_ISOLATE = 20;
/** At least one isolate runs in each of Cloudflare's cities. */
const CITIES = 330;

/** A simple usage: each family is used for 8 hours a day, with one refresh per hour. */
export function usageWithDefaults(
  families: number,
  chosen: Partial<Usage> = {},
): Usage {
  const usage = {
    families,
    refreshesPerFamilyDay: 8,
    introspectionsPerFamilyDay: 0,
    peakToAverage: 3,
    familyLifeDays: 90,
    refreshTokenDays: 30,
    familiesPerSubject: 2,
    clients: 100,
    cpuMsPerRequest: 1,
    objectMsPerCall: 10,
    bytesPerFamily: 12_288,
    bytesPerSubject: 8_192,
    logSampling: 1,
    bytesPerLogEvent: 1_000,
    ...chosen,
  };
  const { refreshesPerFamilyDay, introspectionsPerFamilyDay } = usage;
  const perDay =
    families * (refreshesPerFamilyDay + introspectionsPerFamilyDay);
  const peak = (perDay / DAY_SECONDS) * usage.peakToAverage;
  const isolates = Math.max(CITIES, Math.ceil(peak / REQUESTS_PER_ISOLATE));
  return { isolates, ...usage };
}

export interface Cost {
  refreshesPerSecond: { average: number; peak: number };
  loginsPerSecond: number;
  kvReadsPerRefresh: number;
  /** Per month. */
  units: Metered;
  dollars: Metered;
  /** Without the logs. */
  total: number;
  perMillionRefreshes: number;
  logs: { eventsPerDay: number; dollarsByEvent: number; dollarsByByte: number };
}

/**
 * The cost of a month, without what the plan includes. That makes little difference for large deployments,
 * and small ones pay less than this result.
 */
export function cost(usage: Usage): Cost {
  const { families, refreshesPerFamilyDay } = usage;
  const refreshes = families * refreshesPerFamilyDay * DAYS;
  const introspections = families * usage.introspectionsPerFamilyDay * DAYS;
  const logins = (families / usage.familyLifeDays) * DAYS;
  const done: [Operation, number][] = [
    [refresh, refreshes],
    [introspection, introspections],
    [login, logins],
    // As many families end as begin, because their number stays the same.
    [familyExpiry, logins],
    [renewedAlarm, (families / usage.refreshTokenDays) * DAYS],
  ];
  const used = (meter: keyof Operation) =>
    done.reduce((sum, [operation, times]) => sum + operation[meter] * times, 0);
  const perSecond = (families * refreshesPerFamilyDay) / DAY_SECONDS;
  const introspectionsPerSecond = introspections / DAYS / DAY_SECONDS;
  const kvReadsPerRefresh = kvReadsOf(
    usage,
    perSecond + introspectionsPerSecond,
  );
  const objectRequests = used("objectRequests");
  const workerRequests = used("workerRequests");
  const units: Metered = {
    workerRequests,
    workerCpuMs: workerRequests * usage.cpuMsPerRequest,
    objectRequests,
    objectGbSeconds:
      objectRequests * (usage.objectMsPerCall / 1000) * OBJECT_GB,
    rowsRead: used("rowsRead"),
    rowsWritten: used("rowsWritten"),
    objectStorageGbMonths: storedBytes(usage) / 1e9,
    kvReads:
      (refreshes + introspections) * kvReadsPerRefresh +
      logins * login.kvReadsCold,
  };
  const dollars = Object.fromEntries(
    Object.entries(units).map(([meter, amount]) => [
      meter,
      amount * prices[meter as keyof Metered],
    ]),
  ) as unknown as Metered;
  const total = Object.values(dollars).reduce((sum, part) => sum + part, 0);
  return {
    refreshesPerSecond: {
      average: perSecond,
      peak: perSecond * usage.peakToAverage,
    },
    loginsPerSecond: logins / DAYS / DAY_SECONDS,
    kvReadsPerRefresh,
    units,
    dollars,
    total,
    perMillionRefreshes: (total / refreshes) * 1e6,
    logs: costOfLogs(usage, workerRequests, objectRequests),
  };
}

function storedBytes(usage: Usage): number {
  const { families, bytesPerFamily, familiesPerSubject, bytesPerSubject } =
    usage;
  return families * (bytesPerFamily + bytesPerSubject / familiesPerSubject);
}

/**
 * KV reads per refresh: of the client's record and of the scopes, if they are not in the isolate's memory. An
 * introspection reads no scopes and may read two clients. It is counted as a refresh.
 */
function kvReadsOf(
  { clients, isolates }: Usage,
  requestsPerSecond: number,
): number {
  const rate = requestsPerSecond / isolates;
  if (rate === 0) return refresh.kvReadsCold;
  const load = { refreshesPerSecond: rate, shares: zipf(clients) };
  return expectedReads(load) + 1 / (1 + rate * KEEP_SECONDS);
}

/**
 * The cost of the logs. A Worker request makes two events: Cloudflare's and Baton's line. An object request
 * makes one.
 */
function costOfLogs(
  { logSampling, bytesPerLogEvent }: Usage,
  workerRequests: number,
  objectRequests: number,
): Cost["logs"] {
  const events = (2 * workerRequests + objectRequests) * logSampling;
  const gb = (events * bytesPerLogEvent) / 1e9;
  const { event, ingestedGb, storedGbMonth } = logPrices;
  return {
    eventsPerDay: events / DAYS,
    dollarsByEvent: events * event,
    dollarsByByte: gb * (ingestedGb + (storedGbMonth * LOG_DAYS) / DAYS),
  };
}
