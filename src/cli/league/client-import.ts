import { z } from "zod";
import {
  changed,
  type Note,
  type Planned,
  type Topic,
  withoutUri,
} from "./client-plan.ts";
import type { Imported, Outcome } from "./client-report.ts";
import { type Existing, find, make } from "./client-requests.ts";
import type { Session } from "../commands/session.ts";
import { argument } from "../shell.ts";

/** What is done about one client of the old server. */

/** Makes one client, or finds out why not. @throws Failure */
export async function importOne(
  session: Session,
  planned: Planned,
  dryRun: boolean,
): Promise<Imported> {
  if ("leftOut" in planned) return leaveOut(session, planned);
  const { client, notes } = planned;
  const became = (outcome: Outcome, more: Note[] = []) => ({
    client,
    outcome,
    notes: [...notes, ...more],
  });
  if (dryRun) {
    const there = await find(session, client.client_id);
    return there ? meet(session, planned, there, dryRun) : became("made");
  }
  const made = await make(session, client);
  if ("dropped" in made) return became("made", made.dropped);
  if (!made.isTaken) {
    const why = changed(`refused: ${made.reason}`);
    return { client, outcome: "refused", notes: [why] };
  }
  const there = await find(session, client.client_id);
  if (there) return meet(session, planned, there, dryRun);
  const why = changed("refused: its id was that of a client that was deleted");
  return { client, outcome: "refused", notes: [why] };
}

/** The old server takes nothing from it any more; if it is here, this one does. */
async function leaveOut(
  session: Session,
  { client, leftOut }: Extract<Planned, { leftOut: string }>,
): Promise<Imported> {
  const there = await find(session, client.client_id);
  const more = there
    ? `, and a client here: \`npm run baton -- clients delete ${argument(client.client_id)}\``
    : "";
  const notes = [changed(`left out: ${leftOut}${more}`)];
  return { client, outcome: "left_out", notes };
}

/** What there is to do about a client that is there already: only a secret that it lacks. */
async function meet(
  session: Session,
  { client, notes }: Extract<Planned, { notes: Note[] }>,
  there: Existing,
  dryRun: boolean,
): Promise<Imported> {
  const { client_id, client_secret } = client;
  // How it is here, which need not be how the file would have it.
  const { token_endpoint_auth_method, grant_types, credentials } = there;
  const shown = { ...client, token_endpoint_auth_method, grant_types };
  const hasSecrets = token_endpoint_auth_method !== "none";
  const lacksSecret = hasSecrets && credentials.length === 0;
  const becomes = (outcome: Outcome, kept: Note[]) => ({
    client: shown,
    outcome,
    notes: [...kept, ...lacking(client.redirect_uris, there)],
  });
  if (!lacksSecret || typeof client_secret !== "string") {
    // Its secret may be that of the file, from an import before this one.
    const kept = notes.filter(({ topic }) =>
      topic === "needs_secret" ? lacksSecret : aboutSecrets(topic),
    );
    return becomes("there_already", hasSecrets ? kept : []);
  }
  if (!dryRun) {
    await session.ask({
      method: "POST",
      path: ["clients", client_id, "secrets"],
      body: { client_secret },
      answer: z.unknown(),
    });
  }
  return becomes(
    "secret_given",
    notes.filter(({ topic }) => aboutSecrets(topic)),
  );
}

function aboutSecrets(topic: Topic): boolean {
  return topic !== "changed";
}

function lacking(uris: string[], there: Existing): Note[] {
  return uris
    .filter((uri) => !there.redirect_uris.includes(uri))
    .map((uri) => withoutUri(uri));
}
