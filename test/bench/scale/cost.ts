import { Command, InvalidArgumentError } from "commander";
import { figure, table, writePart } from "./markdown.ts";
import {
  familyExpiry,
  introspection,
  login,
  logoutEverywhere,
  type Operation,
  refresh,
  renewedAlarm,
  revocation,
  signIn,
} from "./operations.ts";
import { MAX_LOG_EVENTS_PER_DAY } from "./prices.ts";
import { type Cost, cost, type Usage, usageWithDefaults } from "./usage.ts";

function operationTable(): string {
  const rows: [string, Operation][] = [
    ["a refresh", refresh],
    ["a sign-in by authorization code, from `/authorize` on", signIn],
    ["a login that a back end starts (`POST /admin/grants`)", login],
    ["an introspection", introspection],
    ["a revocation (`POST /revoke`) with its later steps", revocation],
    ["log out everywhere, 10 families", logoutEverywhere(10)],
    ["log out everywhere, 1,000 families", logoutEverywhere(1_000)],
    ["the alarm of a live family, once per `refresh_token_ttl`", renewedAlarm],
    ["the expiry of a family", familyExpiry],
  ];
  return table(
    [
      "",
      "Worker requests",
      "object requests",
      "rows written",
      "rows read",
      "KV reads, cold",
    ],
    rows.map(([what, operation]) => [
      what,
      ...[
        operation.workerRequests,
        operation.objectRequests,
        operation.rowsWritten,
        operation.rowsRead,
        operation.kvReadsCold,
      ].map((count) => figure(count)),
    ]),
  );
}

/** The cost of each number of live families, side by side. */
function costTable(usages: readonly Usage[]): string {
  const costs = usages.map((usage) => cost(usage));
  const million = (amount: number) => `${figure(amount / 1e6)} M`;
  const row = (what: string, of: (cost: Cost, usage: Usage) => string) => [
    what,
    ...costs.map((one, column) => of(one, usages[column]!)),
  ];
  const units = (
    what: string,
    meter: keyof Cost["units"],
    shown: (amount: number) => string = million,
  ) =>
    row(what, ({ units, dollars }) => {
      return `${shown(units[meter])}, ${dollar(dollars[meter])}`;
    });
  return table(
    [
      "",
      ...usages.map(({ families }) => `${figure(families / 1e6)} M families`),
    ],
    [
      row("refreshes per second, on average", ({ refreshesPerSecond }) =>
        figure(refreshesPerSecond.average),
      ),
      row(
        "refreshes per second, in the busiest hour",
        ({ refreshesPerSecond }) => figure(refreshesPerSecond.peak),
      ),
      row("logins per second", ({ loginsPerSecond }) =>
        figure(loginsPerSecond),
      ),
      row("isolates", (_, { isolates }) => figure(isolates)),
      row("KV reads per refresh", ({ kvReadsPerRefresh }) =>
        figure(kvReadsPerRefresh),
      ),
      units("rows written", "rowsWritten"),
      units("Worker requests", "workerRequests"),
      units("object requests", "objectRequests"),
      units("KV reads", "kvReads"),
      units("Worker CPU, ms", "workerCpuMs"),
      units("object duration, GB-s", "objectGbSeconds"),
      units("rows read", "rowsRead"),
      units("stored, GB", "objectStorageGbMonths", figure),
      row("**per month, without logs**", ({ total }) => `**${dollar(total)}**`),
      row("per million refreshes", ({ perMillionRefreshes }) =>
        dollar(perMillionRefreshes),
      ),
      row("Workers Logs: events per day", ({ logs }) => {
        const isOver = logs.eventsPerDay > MAX_LOG_EVENTS_PER_DAY;
        return million(logs.eventsPerDay) + (isOver ? " (over the limit)" : "");
      }),
      row("Workers Logs, until 30 November 2026", ({ logs }) =>
        dollar(logs.dollarsByEvent),
      ),
      row("Workers Logs, from 1 December 2026", ({ logs }) =>
        dollar(logs.dollarsByByte),
      ),
    ],
  );
}

function dollar(amount: number): string {
  return `$${amount < 10 ? amount.toFixed(2) : figure(amount)}`;
}

/** The usage that the table is for, in words. */
function assumptions(usage: Usage): string {
  return `Usage: ${figure(usage.refreshesPerFamilyDay)} refreshes and ${figure(usage.introspectionsPerFamilyDay)} introspections per family per day, ${figure(usage.peakToAverage)} times the average in the busiest hour; a family lives for ${figure(usage.familyLifeDays)} days, a refresh token for ${figure(usage.refreshTokenDays)}; ${figure(usage.familiesPerSubject)} families per subject; ${figure(usage.clients)} clients; ${figure(usage.cpuMsPerRequest)} ms of CPU per request, ${figure(usage.objectMsPerCall)} ms of object time per call; ${figure(usage.bytesPerFamily)} bytes per family, ${figure(usage.bytesPerSubject)} per subject; ${figure(usage.logSampling * 100)} % of the requests logged, ${figure(usage.bytesPerLogEvent)} bytes per event.`;
}

const program = new Command("cost")
  .description("Calculates what a month of Baton costs on Cloudflare.")
  .option(
    "--families <numbers...>",
    "live families (default: 1e6 1e8 1e9)",
    (text, before?: number[]) => [...(before ?? []), number(text)],
  )
  .option(
    "--refreshes-per-day <number>",
    "refreshes of each family per day",
    number,
  )
  .option(
    "--introspections-per-day <number>",
    "introspections of each family per day",
    number,
  )
  .option(
    "--peak <number>",
    "refreshes of the busiest hour, divided by the average",
    number,
  )
  .option("--family-days <number>", "lifetime of a family, in days", number)
  .option("--families-per-subject <number>", "logins of one user", number)
  .option("--clients <number>", "clients in use", number)
  .option("--isolates <number>", "isolates that serve at a time", number)
  .option(
    "--cpu-ms <number>",
    "CPU time of the Worker per request, in ms",
    number,
  )
  .option("--log-sampling <number>", "head_sampling_rate, 0 to 1", number)
  .option("--write", "write the tables into test/bench/scale/README.md")
  .action(async (options: { families?: number[]; write?: true }) => {
    const { families = [1e6, 1e8, 1e9], write } = options;
    const usages = families.map((count) => usageOf(count));
    const markdown = `${assumptions(usages[0]!)}\n\n${costTable(usages)}`;
    console.log(markdown);
    if (!write) return;
    await writePart("operations", operationTable());
    await writePart("cost", markdown);
  });

function usageOf(families: number): Usage {
  const options = program.opts<Record<string, number | undefined>>();
  const chosen: Partial<Usage> = {};
  const names = {
    refreshesPerDay: "refreshesPerFamilyDay",
    introspectionsPerDay: "introspectionsPerFamilyDay",
    peak: "peakToAverage",
    familyDays: "familyLifeDays",
    familiesPerSubject: "familiesPerSubject",
    clients: "clients",
    isolates: "isolates",
    cpuMs: "cpuMsPerRequest",
    logSampling: "logSampling",
  } as const;
  for (const [option, name] of Object.entries(names)) {
    const value = options[option];
    if (value !== undefined) chosen[name] = value;
  }
  return usageWithDefaults(families, chosen);
}

function number(text: string): number {
  const value = Number(text);
  if (!(value >= 0))
    throw new InvalidArgumentError("It must be a number that is not negative.");
  return value;
}

await program.parseAsync();
