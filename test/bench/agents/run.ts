import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../../src/cli/failure.ts";
import { commit } from "../contenders/versions.ts";
import { progress } from "../progress.ts";
import { type Outcome, play, type Stage } from "./play.ts";
import type { Results, ServerResults } from "./results.ts";
import type { Profile } from "./profile.ts";
import { HOUR, type Trace } from "./trace.ts";

/** Plays the traces on one server after the other. @param folder takes the servers' data */
export async function playAll(
  folder: string,
  profiles: readonly Profile[],
  traces: readonly Trace[],
  repeats: number,
): Promise<Results> {
  const date = new Date().toISOString();
  const servers: ServerResults[] = [];
  for (const [index, profile] of profiles.entries()) {
    const { name, role, version, runtime, about } = profile;
    progress(`${name}: ${traces.length} traces, ${repeats} times`);
    const place = join(folder, String(index));
    await mkdir(place, { recursive: true });
    const { stage, server } = await profile.start(place);
    await checkClock(stage, name);
    const outcomes = await playOn(stage, traces, repeats);
    await server.stop();
    servers.push({ name, role, version, runtime, about, outcomes });
  }
  return { date, commit: commit(), repeats, servers };
}

/**
 * Checks that the server has the clock of the requests: a refresh token must have expired after a year.
 *
 * @throws Failure if it is answered
 */
async function checkClock(stage: Stage, name: string): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  stage.setTime(now);
  const token = await stage.login();
  stage.setTime(now + 366 * 24 * HOUR);
  if ((await stage.refresh(token, "holder")) !== undefined)
    throw new Failure(
      `${name} answers a refresh token after a year, so its clock is not that of the requests.`,
    );
}

async function playOn(
  stage: Stage,
  traces: readonly Trace[],
  repeats: number,
): Promise<ServerResults["outcomes"]> {
  const outcomes: Record<string, Outcome[]> = {};
  // The server's clock only goes forward, from today on.
  let now = Math.floor(Date.now() / 1000);
  for (let repeat = 0; repeat < repeats; repeat += 1)
    for (const trace of traces) {
      const { outcome, endedAt } = await play(trace, stage, now);
      (outcomes[trace.title] ??= []).push(outcome);
      now = endedAt;
    }
  return outcomes;
}
