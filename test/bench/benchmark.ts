import { Failure } from "../../src/cli/failure.ts";
import type { Entrant } from "./entrant.ts";
import { measureFarRaces, measureGuarantees } from "./guarantees/measure.ts";
import { type Measurement, measureChains, measureOnce } from "./load.ts";
import type { Login } from "./login.ts";
import { progress } from "./progress.ts";
import {
  type EntrantResults,
  type Load,
  type Plan,
  rotationsPerSecond,
} from "./results.ts";
import { bytesPerRotation, storedLogins } from "./storage.ts";

/** How many logins rotate at a time after a restart. */
const RESTART_CHAINS = 16;

/** Collects the results of one entrant. */
class ResultSheet {
  readonly entrant: Entrant;
  readonly results: EntrantResults;

  constructor(entrant: Entrant) {
    const { name, version, role, about } = entrant.contender;
    this.entrant = entrant;
    this.results = {
      name,
      version,
      role,
      about,
      guarantees: {},
      runs: [],
      bytes_per_rotation: Number.NaN,
      bytes_per_login: Number.NaN,
    };
  }

  /** Does the work; an error gets the entrant's name and the end of its log. @throws Failure */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Failure) throw error;
      const { name, server } = this.entrant;
      const reason = error instanceof Error ? error.stack : String(error);
      throw new Failure(
        `${name}: ${reason}\nIts log ends:\n${server.logEnd()}`,
        { cause: error },
      );
    }
  }
}

/**
 * Measures all entrants. Guarantees come first, because the rest takes longer.
 *
 * @throws Failure at the first wrong answer of any entrant
 */
export async function measureAll(
  entrants: readonly Entrant[],
  plan: Plan,
): Promise<EntrantResults[]> {
  const sheets = entrants.map((entrant) => new ResultSheet(entrant));
  for (const sheet of sheets)
    await sheet.during(() => addGuarantees(sheet, plan));
  for (const chains of [1, 16, 64] as const)
    await measureHot(sheets, chains, plan);
  await measureStorageAndRestart(sheets, plan);
  return sheets.map(({ results }) => results);
}

async function addGuarantees(
  { entrant, results }: ResultSheet,
  plan: Plan,
): Promise<void> {
  const { name, client, contender } = entrant;
  progress(`${name}: guarantees`);
  const measured = await measureGuarantees(entrant, client, plan);
  const farRaces = await measureFarRaces(entrant, plan.races);
  results.guarantees[""] = { ...measured, ...(farRaces && { farRaces }) };
  for (const [variant, prepare] of Object.entries(contender.variants ?? {})) {
    progress(`${name}, ${variant}: guarantees`);
    const other = await prepare(entrant.server);
    results.guarantees[variant] = await measureGuarantees(entrant, other, plan);
  }
}

async function measureHot(
  sheets: readonly ResultSheet[],
  chains: 1 | 16 | 64,
  { rounds, seconds }: Plan,
): Promise<void> {
  const label = `${chains} at a time`;
  await measureInTurn(sheets, `${label}, warm-up`, 1, ({ entrant }) =>
    measureChains(entrant, chains, seconds),
  );
  const measured = await measureInTurn(sheets, label, rounds, ({ entrant }) =>
    measureChains(entrant, chains, seconds),
  );
  addRuns(measured, chains);
}

async function measureStorageAndRestart(
  sheets: readonly ResultSheet[],
  { rounds, stored, logins }: Plan,
): Promise<void> {
  const waiting = new Map<ResultSheet, Login[]>();
  for (const sheet of sheets) {
    const { entrant, results } = sheet;
    progress(`${entrant.name}: stored bytes`);
    await sheet.during(async () => {
      results.bytes_per_rotation = await bytesPerRotation(entrant, stored);
      const { logins: made, bytes } = await storedLogins(entrant, logins);
      results.bytes_per_login = bytes;
      waiting.set(sheet, made);
    });
  }
  const measured = await measureInTurn(
    sheets,
    "after a restart",
    rounds,
    (sheet, round) => {
      const left = waiting.get(sheet) ?? [];
      // Each login rotates once, so each round takes its share of them.
      const part = left.splice(0, Math.ceil(left.length / (rounds - round)));
      return measureOnce(sheet.entrant, part, RESTART_CHAINS);
    },
  );
  addRuns(measured, "restart");
}

/**
 * Measures round by round, so that a disturbance of the machine affects all entrants. Each round starts with
 * a different entrant.
 */
async function measureInTurn(
  sheets: readonly ResultSheet[],
  label: string,
  rounds: number,
  measure: (sheet: ResultSheet, round: number) => Promise<Measurement>,
): Promise<Map<ResultSheet, Measurement[]>> {
  const measured = new Map<ResultSheet, Measurement[]>();
  for (let round = 0; round < rounds; round += 1) {
    const first = round % sheets.length;
    for (const sheet of [...sheets.slice(first), ...sheets.slice(0, first)]) {
      const found = await sheet.during(() => measure(sheet, round));
      measured.set(sheet, [...(measured.get(sheet) ?? []), found]);
      const rate = Math.round(rotationsPerSecond(found));
      progress(
        `${label}, ${round + 1}/${rounds}: ${sheet.entrant.name} ${rate}/s`,
      );
    }
  }
  return measured;
}

function addRuns(measured: Map<ResultSheet, Measurement[]>, load: Load): void {
  for (const [{ results }, rounds] of measured)
    results.runs.push({ load, rounds });
}
