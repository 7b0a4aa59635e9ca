import type { Entrant } from "../entrant.ts";
import { type FirstAnswer, measureFirstAnswer } from "./first-answer.ts";
import type { RequestKind } from "./results.ts";

/** A stopped server and what it is asked first. */
export interface StoppedServer {
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
  servers: readonly StoppedServer[],
  kind: RequestKind,
  starts: number,
): Promise<Map<string, FirstAnswer[]>> {
  const measured = new Map<string, FirstAnswer[]>(
    servers.map(({ entrant }) => [entrant.name, []]),
  );
  for (let round = 0; round <= starts; round += 1) {
    const first = round % servers.length;
    const turn = [...servers.slice(first), ...servers.slice(0, first)];
    for (const stopped of turn) {
      const answer = await startOnce(stopped, kind);
      // The first start reads the files from the disk.
      if (round > 0) measured.get(stopped.entrant.name)!.push(answer);
    }
  }
  return measured;
}

async function startOnce(
  { entrant, tokens }: StoppedServer,
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
