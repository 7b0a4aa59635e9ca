import {
  expiry,
  introspection,
  login,
  type Operation,
  refresh,
  renewedAlarm,
} from "./operations.ts";
import { LOG_DAYS, logPrices, type Metered, prices } from "./prices.ts";
import { expectedReads, KEEP_SECONDS, zipf } from "./zipf-cache.ts";

/** A month of 30 days, as storage is charged by. */
const DAYS = 30;
const DAY_SECONDS = 86_400;
/** What an object is charged to have, in GB. */
const OBJECT_GB = 0.128;

/** How a deployment is used. All that is not Cloudflare's price or Baton's code is said here. */
export interface Usage {
  /** That live at a time. */
  families: number;
  refreshesPerFamilyDay: number;
  introspectionsPerFamilyDay: number;
  /** The refreshes of the busiest hour, of those of an average one. */
  peakToAverage: number;
  /** How long a family lives: so often it is replaced by another login. */
  familyLifeDays: number;
  /** How long a refresh token lives: so often a family's alarm comes and is set anew. */
  refreshTokenDays: number;
  familiesPerSubject: number;
  /** Their refreshes are distributed by Zipf's law. */
  clients: number;
  /** How many isolates serve at a time, over all locations. Cloudflare decides it, and does not say. */
  isolates: number;
  cpuMsPerRequest: number;
  /** How long an object is at work for one call. */
  objectMsPerCall: number;
  bytesPerFamily: number;
  bytesPerSubject: number;
  /** Of each 1 request, how many are logged (`head_sampling_rate`). */
  logSampling: number;
  bytesPerLogEvent: number;
}

/** An isolate serves so many requests a second in the busiest hour: no more than a guess. */
const REQUESTS_AN_ISOLATE = 20;
/** And there is one in each of Cloudflare's cities at least. */
const CITIES = 330;

/** A usage that is easy to reckon with: each family is in use for 8 hours a day, by the hour. */
export function usual(families: number, chosen: Partial<Usage> = {}): Usage {
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
  const isolates = Math.max(CITIES, Math.ceil(peak / REQUESTS_AN_ISOLATE));
  return { isolates, ...usage };
}

export interface Cost {
  refreshesPerSecond: { average: number; peak: number };
  loginsPerSecond: number;
  kvReadsPerRefresh: number;
  /** A month's. */
  units: Metered;
  dollars: Metered;
  /** Without the logs. */
  total: number;
  perMillionRefreshes: number;
  logs: { eventsADay: number; dollarsByEvent: number; dollarsByByte: number };
}

/**
 * What a month costs, without what the plan includes: for the large it does not matter, and the small
 * pay less than this says.
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
    // As many end as begin, or their number would not stay.
    [expiry, logins],
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
 * Of a refresh: of the client's record and of the scopes, both of which are looked for in the isolate
 * first. An introspection reads no scopes and may read two clients; it is taken for a refresh.
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

/** Two events of a request of the Worker, Cloudflare's and Baton's line; one of an object's. */
function costOfLogs(
  { logSampling, bytesPerLogEvent }: Usage,
  workerRequests: number,
  objectRequests: number,
): Cost["logs"] {
  const events = (2 * workerRequests + objectRequests) * logSampling;
  const gb = (events * bytesPerLogEvent) / 1e9;
  const { event, ingestedGb, storedGbMonth } = logPrices;
  return {
    eventsADay: events / DAYS,
    dollarsByEvent: events * event,
    dollarsByByte: gb * (ingestedGb + (storedGbMonth * LOG_DAYS) / DAYS),
  };
}
