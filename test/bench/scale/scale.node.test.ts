import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  IsolateCache,
  CACHED_MAX_AGE_MS,
} from "../../../src/platform/isolate-cache.ts";
import { logoutEverywhere } from "./operations.ts";
import { seeded } from "./random.ts";
import { cost, type Usage, usageWithDefaults } from "./usage.ts";
import {
  expectedReads,
  KEEP_SECONDS,
  ModelCache,
  MAX_ENTRIES,
  simulatedReads,
  zipf,
} from "./zipf-cache.ts";

// The cache needs nothing of this module, but a file from which it imports a number does.
vi.mock("cloudflare:workers", () => ({ DurableObject: Object }));

/** Round numbers for calculations by hand. */
const usage: Usage = {
  families: 1e6,
  refreshesPerFamilyDay: 10,
  introspectionsPerFamilyDay: 0,
  peakToAverage: 3,
  familyLifeDays: 100,
  refreshTokenDays: 30,
  familiesPerSubject: 2,
  clients: 1,
  isolates: 1e9,
  cpuMsPerRequest: 2,
  objectMsPerCall: 10,
  bytesPerFamily: 12_000,
  bytesPerSubject: 8_000,
  logSampling: 0.5,
  bytesPerLogEvent: 1_000,
};

describe("the cost of a month", () => {
  it("is what a calculation by hand gives", () => {
    const { units, dollars, refreshesPerSecond } = cost(usage);
    // 300 M refreshes; 0.3 M logins of 3 rows and 4 calls; 0.3 M expiries of 3 rows and 2 calls; 1 M alarms.
    expect(units.workerRequests).toBeCloseTo(300.3e6, 0);
    expect(units.rowsWritten).toBeCloseTo(302.8e6, 0);
    expect(units.objectRequests).toBeCloseTo(302.8e6, 0);
    expect(units.workerCpuMs).toBeCloseTo(600.6e6, 0);
    expect(units.objectGbSeconds).toBeCloseTo(302.8e6 * 0.01 * 0.128, 0);
    expect(units.objectStorageGbMonths).toBeCloseTo(16, 9);
    expect(dollars.workerRequests).toBeCloseTo(90.09, 6);
    expect(dollars.rowsWritten).toBeCloseTo(302.8, 6);
    expect(dollars.objectRequests).toBeCloseTo(45.42, 6);
    expect(dollars.workerCpuMs).toBeCloseTo(12.012, 6);
    expect(dollars.objectStorageGbMonths).toBeCloseTo(3.2, 6);
    expect(refreshesPerSecond.average).toBeCloseTo(115.74, 2);
    expect(refreshesPerSecond.peak).toBeCloseTo(347.22, 2);
  });

  it("is the sum of its parts, and divides by the number of refreshes", () => {
    const { dollars, total, perMillionRefreshes } = cost(usage);
    const sum = Object.values(dollars).reduce((one, other) => one + other, 0);
    expect(total).toBeCloseTo(sum, 9);
    expect(perMillionRefreshes).toBeCloseTo(total / 300, 9);
  });

  it("has two log events per request and one per call of an object, of which sampling keeps a part", () => {
    const { logs } = cost(usage);
    const events = (2 * 300.3e6 + 302.8e6) / 2;
    expect(logs.eventsPerDay).toBeCloseTo(events / 30, 0);
    expect(logs.dollarsByEvent).toBeCloseTo((events / 1e6) * 0.6, 6);
    const gigabytes = events / 1e6;
    const stored = (gigabytes * 7) / 30;
    expect(logs.dollarsByByte).toBeCloseTo(gigabytes * 0.25 + stored * 0.1, 6);
  });

  it("reads two records per refresh if each isolate sees one refresh, and none if it sees very many", () => {
    expect(cost(usage).kvReadsPerRefresh).toBeCloseTo(2, 4);
    expect(cost({ ...usage, isolates: 1e-6 }).kvReadsPerRefresh).toBeCloseTo(0);
  });

  it("doubles with the families if the isolates double too", () => {
    const [one, two] = [1e8, 2e8].map((families) =>
      cost(usageWithDefaults(families)),
    );
    expect(two!.total / one!.total).toBeCloseTo(2, 3);
  });
});

describe("logging out everywhere", () => {
  it.each([
    // One call that writes the logout into the index, one that finds nothing, and the index's alarm.
    [0, 1, 3],
    // Plus one page: the list, 1 revocation, the removal; and 1 alarm, which notifies the index.
    [1, 1, 8],
    [100, 1, 305],
    [800, 1, 2 + 16 + 2_400 + 1],
    [801, 2, 4 + 18 + 2_403 + 1],
  ])(
    "of %i families takes %i requests and %i calls of objects",
    (families, requests, calls) => {
      const operation = logoutEverywhere(families);
      expect(operation.workerRequests).toBe(requests);
      expect(operation.objectRequests).toBe(calls);
    },
  );
});

describe("reads of client records", () => {
  it("of one client happen once per minute plus the time to the next refresh", () => {
    const load = { refreshesPerSecond: 2, shares: [1] };
    expect(expectedReads(load)).toBeCloseTo(1 / 121, 9);
    const played = simulatedReads(load, 300_000, seeded(1));
    expect(played).toBeCloseTo(1 / 121, 3);
  });

  it("happen for all records that do not fit, if all clients come equally often and never twice in a minute", () => {
    const clients = 4 * MAX_ENTRIES;
    const shares = Array.from({ length: clients }, () => 1 / clients);
    const load = { refreshesPerSecond: 1_000, shares };
    expect(expectedReads(load)).toBeCloseTo(3 / 4, 6);
    expect(simulatedReads(load, 50_000, seeded(1))).toBeCloseTo(3 / 4, 2);
  });

  it.each([
    [100, 10],
    [1_000, 50],
    [10_000, 200],
  ])(
    "of %i clients by Zipf's law are as many in the simulation as in the calculation",
    (clients, rate) => {
      const load = { refreshesPerSecond: rate, shares: zipf(clients) };
      const played = simulatedReads(load, 100_000, seeded(1));
      expect(played / expectedReads(load)).toBeCloseTo(1, 1);
    },
  );
});

describe("the model of the isolate's cache", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("reads in the same refreshes as the cache in the code", async () => {
    expect(CACHED_MAX_AGE_MS).toBe(KEEP_SECONDS * 1000);
    const random = seeded(1);
    const model = new ModelCache({
      keepTime: CACHED_MAX_AGE_MS,
      maxEntries: MAX_ENTRIES,
    });
    const cache = new IsolateCache<number>();
    const differences: number[] = [];
    let reads = 0;
    for (let refresh = 0; refresh < 20_000; refresh++) {
      // About 1,500 of 3,000 clients come in a minute, so that both the minute and the bound matter.
      vi.setSystemTime(refresh * 40);
      const client = Math.floor(3_000 * random() ** 2);
      let read = false;
      await cache.lookUp(String(client), CACHED_MAX_AGE_MS, async () => {
        read = true;
        const reading = {
          value: client,
          revision: 0,
          readStartedAt: Date.now(),
        };
        return cache.storeRead(String(client), reading).value;
      });
      if (read) reads += 1;
      if (read !== model.ask(client, Date.now())) differences.push(refresh);
    }
    expect(differences).toEqual([]);
    expect(reads).toBeGreaterThan(5_000);
    expect(reads).toBeLessThan(15_000);
  });
});
