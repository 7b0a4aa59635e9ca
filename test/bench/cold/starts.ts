import type { Entrant } from "../entrant.ts";
import { median } from "../statistics.ts";
import { type FirstAnswer, measureFirstAnswer } from "./first-answer.ts";

/** The requests whose first answer is measured. */
export const requests = ["a refused token", "a refresh"] as const;
export type RequestKind = (typeof requests)[number];

/** A stopped server and what it is asked first. */
export interface Sleeper {
  entrant: Entrant;
  /** Refresh tokens for the starts. A token is used once. */
  tokens: string[];
}

/**
 * Starts each server many times, in turns, so that a disturbance of the machine affects all.
 *
 * @returns the first answers by the name of the server; the first round is not counted
 */
export async function measureStarts(
  sleepers: readonly Sleeper[],
  kind: RequestKind,
  starts: number,
): Promise<Map<string, FirstAnswer[]>> {
  const measured = new Map<string, FirstAnswer[]>(
    sleepers.map(({ entrant }) => [entrant.name, []]),
  );
  for (let round = 0; round <= starts; round += 1) {
    const first = round % sleepers.length;
    const turn = [...sleepers.slice(first), ...sleepers.slice(0, first)];
    for (const sleeper of turn) {
      const answer = await startOnce(sleeper, kind);
      // The first start reads the files from the disk.
      if (round > 0) measured.get(sleeper.entrant.name)!.push(answer);
    }
  }
  return measured;
}

async function startOnce(
  { entrant, tokens }: Sleeper,
  kind: RequestKind,
): Promise<FirstAnswer> {
  const { client, contender, server } = entrant;
  const token = kind === "a refresh" ? tokens.pop() : "a-forged-token";
  if (token === undefined) throw new Error("There are more starts than tokens");
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    ...client.credentials,
    refresh_token: token,
  });
  const answer = await measureFirstAnswer(
    server.command,
    client.tokenPath,
    form.toString(),
  );
  const exchanges = kind === "a refresh" && contender.about.store !== "none";
  const isExpected = exchanges
    ? answer.status === 200
    : answer.status >= 400 && answer.status < 500;
  if (!isExpected)
    throw new Error(
      `${entrant.name} answered ${answer.status} to ${kind}. Its log ends:\n${server.logEnd()}`,
    );
  return answer;
}

/**
 * The median of the rounds' ratios to another server. A round's starts follow each other, so both had the
 * same disturbances.
 */
export function ratioTo(
  figure: (answer: FirstAnswer) => number,
  found: readonly FirstAnswer[],
  others: readonly FirstAnswer[],
): number {
  return median(
    found.map((answer, round) => figure(answer) / figure(others[round]!)),
  );
}
