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

/** Logins that rotate at a time after a cold start. */
const COLD_CHAINS = 16;

/** All that is measured of one of them, as it comes in. */
class Sheet {
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

  /** Whatever goes wrong says where. @throws Failure */
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
 * Measures all of them. What has to be right comes first, since the rest takes longer.
 *
 * @throws Failure at the first wrong answer of any
 */
export async function measureAll(
  entrants: readonly Entrant[],
  plan: Plan,
): Promise<EntrantResults[]> {
  const sheets = entrants.map((entrant) => new Sheet(entrant));
  for (const sheet of sheets) await sheet.during(() => guarantees(sheet, plan));
  for (const chains of [1, 16, 64] as const) await hot(sheets, chains, plan);
  await storedAndCold(sheets, plan);
  return sheets.map(({ results }) => results);
}

async function guarantees(
  { entrant, results }: Sheet,
  plan: Plan,
): Promise<void> {
  const { name, client, contender } = entrant;
  progress(`${name}: what it guarantees`);
  const measured = await measureGuarantees(entrant, client, plan);
  const farRaces = await measureFarRaces(entrant, plan.races);
  results.guarantees[""] = { ...measured, ...(farRaces && { farRaces }) };
  for (const [variant, prepare] of Object.entries(contender.variants ?? {})) {
    progress(`${name}, ${variant}: what it guarantees`);
    const other = await prepare(entrant.server);
    results.guarantees[variant] = await measureGuarantees(entrant, other, plan);
  }
}

async function hot(
  sheets: readonly Sheet[],
  chains: 1 | 16 | 64,
  { rounds, seconds }: Plan,
): Promise<void> {
  const label = `${chains} at a time`;
  await inTurn(sheets, `${label}, warm-up`, 1, ({ entrant }) =>
    measureChains(entrant, chains, seconds),
  );
  const measured = await inTurn(sheets, label, rounds, ({ entrant }) =>
    measureChains(entrant, chains, seconds),
  );
  keep(measured, chains);
}

async function storedAndCold(
  sheets: readonly Sheet[],
  { rounds, stored, cold }: Plan,
): Promise<void> {
  const waiting = new Map<Sheet, Login[]>();
  for (const sheet of sheets) {
    const { entrant, results } = sheet;
    progress(`${entrant.name}: what it stores`);
    await sheet.during(async () => {
      results.bytes_per_rotation = await bytesPerRotation(entrant, stored);
      const { logins, bytes } = await storedLogins(entrant, cold);
      results.bytes_per_login = bytes;
      waiting.set(sheet, logins);
    });
  }
  const measured = await inTurn(sheets, "cold", rounds, (sheet, round) => {
    const logins = waiting.get(sheet) ?? [];
    // Each login once: a round has its part of them.
    const part = logins.splice(0, Math.ceil(logins.length / (rounds - round)));
    return measureOnce(sheet.entrant, part, COLD_CHAINS);
  });
  keep(measured, "cold");
}

/** Round by round, so that what troubles the machine troubles all; each round starts with another. */
async function inTurn(
  sheets: readonly Sheet[],
  label: string,
  rounds: number,
  measure: (sheet: Sheet, round: number) => Promise<Measurement>,
): Promise<Map<Sheet, Measurement[]>> {
  const measured = new Map<Sheet, Measurement[]>();
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

function keep(measured: Map<Sheet, Measurement[]>, load: Load): void {
  for (const [{ results }, rounds] of measured)
    results.runs.push({ load, rounds });
}
