import { Command, InvalidArgumentError } from "commander";
import { figure, table, writePart } from "./markdown.ts";
import {
  expiry,
  introspection,
  login,
  logoutEverywhere,
  type Operation,
  refresh,
  renewedAlarm,
  revocation,
  signIn,
} from "./operations.ts";
import { MAX_LOG_EVENTS_A_DAY } from "./prices.ts";
import { type Cost, cost, type Usage, usual } from "./usage.ts";

function operationTable(): string {
  const rows: [string, Operation][] = [
    ["a refresh", refresh],
    ["a sign-in by authorization code, from `/authorize` on", signIn],
    ["a login that a back end starts (`POST /admin/grants`)", login],
    ["an introspection", introspection],
    ["a revocation (`POST /revoke`), and what follows", revocation],
    ["log out everywhere, 10 families", logoutEverywhere(10)],
    ["log out everywhere, 1,000 families", logoutEverywhere(1_000)],
    [
      "a family's alarm, while it lives, once in a `refresh_token_ttl`",
      renewedAlarm,
    ],
    ["a family that expires", expiry],
  ];
  return table(
    [
      "",
      "requests of the Worker",
      "requests of objects",
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

/** What each number of live families costs, side by side. */
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
      row("refreshes a second, on average", ({ refreshesPerSecond }) =>
        figure(refreshesPerSecond.average),
      ),
      row("refreshes a second, in the busiest hour", ({ refreshesPerSecond }) =>
        figure(refreshesPerSecond.peak),
      ),
      row("logins a second", ({ loginsPerSecond }) => figure(loginsPerSecond)),
      row("isolates", (_, { isolates }) => figure(isolates)),
      row("KV reads a refresh", ({ kvReadsPerRefresh }) =>
        figure(kvReadsPerRefresh),
      ),
      units("rows written", "rowsWritten"),
      units("requests of the Worker", "workerRequests"),
      units("requests of objects", "objectRequests"),
      units("KV reads", "kvReads"),
      units("CPU of the Worker, ms", "workerCpuMs"),
      units("objects at work, GB-s", "objectGbSeconds"),
      units("rows read", "rowsRead"),
      units("stored, GB", "objectStorageGbMonths", figure),
      row("**a month, without logs**", ({ total }) => `**${dollar(total)}**`),
      row("of a million refreshes", ({ perMillionRefreshes }) =>
        dollar(perMillionRefreshes),
      ),
      row("Workers Logs: events a day", ({ logs }) => {
        const most = logs.eventsADay > MAX_LOG_EVENTS_A_DAY;
        return million(logs.eventsADay) + (most ? " (over the limit)" : "");
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

/** What the usage is that the table is for, in words. */
function assumptions(usage: Usage): string {
  return `Usage: ${figure(usage.refreshesPerFamilyDay)} refreshes and ${figure(usage.introspectionsPerFamilyDay)} introspections a family and day, in the busiest hour ${figure(usage.peakToAverage)} times the average; a family lives ${figure(usage.familyLifeDays)} days, a refresh token ${figure(usage.refreshTokenDays)}; ${figure(usage.familiesPerSubject)} families a subject; ${figure(usage.clients)} clients; ${figure(usage.cpuMsPerRequest)} ms of CPU a request, ${figure(usage.objectMsPerCall)} ms of an object a call; ${figure(usage.bytesPerFamily)} bytes a family, ${figure(usage.bytesPerSubject)} a subject; ${figure(usage.logSampling * 100)} % of the requests logged, ${figure(usage.bytesPerLogEvent)} bytes an event.`;
}

const program = new Command("cost")
  .description("What a month of Baton costs on Cloudflare.")
  .option(
    "--families <numbers...>",
    "that live at a time (default: 1e6 1e8 1e9)",
    (text, before?: number[]) => [...(before ?? []), number(text)],
  )
  .option("--refreshes-per-day <number>", "of each family", number)
  .option("--introspections-per-day <number>", "of each family", number)
  .option("--peak <number>", "the busiest hour, to an average one", number)
  .option("--family-days <number>", "how long a family lives", number)
  .option("--families-per-subject <number>", "logins of one user", number)
  .option("--clients <number>", "in use", number)
  .option("--isolates <number>", "that serve at a time", number)
  .option("--cpu-ms <number>", "of the Worker, for a request", number)
  .option("--log-sampling <number>", "head_sampling_rate, 0 to 1", number)
  .option("--write", "put the table into the page")
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
  return usual(families, chosen);
}

function number(text: string): number {
  const value = Number(text);
  if (!(value >= 0)) throw new InvalidArgumentError("Not a number.");
  return value;
}

await program.parseAsync();
