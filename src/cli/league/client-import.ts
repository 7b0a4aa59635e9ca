import { z } from "zod";
import {
  changedNote,
  type Note,
  type Planned,
  type Topic,
  droppedUriNote,
} from "./client-plan.ts";
import type { Imported, Outcome } from "./client-report.ts";
import {
  createClient,
  type ExistingClient,
  findClient,
} from "./client-requests.ts";
import type { Session } from "../commands/session.ts";
import { quoteArgument } from "../shell.ts";

/** Imports one client of the old server. If it is not created, a note says why. @throws Failure if the server cannot be asked */
export async function importClient(
  session: Session,
  planned: Planned,
  dryRun: boolean,
): Promise<Imported> {
  if ("leftOut" in planned) return reportLeftOut(session, planned);
  const { client, notes } = planned;
  const result = (outcome: Outcome, more: Note[] = []) => ({
    client,
    outcome,
    notes: [...notes, ...more],
  });
  if (dryRun) {
    const existing = await findClient(session, client.client_id);
    return existing
      ? importExisting(session, planned, existing, dryRun)
      : result("made");
  }
  const created = await createClient(session, client);
  if ("notes" in created) return result("made", created.notes);
  if (!created.isTaken) {
    const note = changedNote(`refused: ${created.reason}`);
    return { client, outcome: "refused", notes: [note] };
  }
  const existing = await findClient(session, client.client_id);
  if (existing) return importExisting(session, planned, existing, dryRun);
  const note = changedNote("refused: a deleted client had this id");
  return { client, outcome: "refused", notes: [note] };
}

/** Reports a client that is left out. If this server has it, the note says how to delete it. */
async function reportLeftOut(
  session: Session,
  { client, leftOut }: Extract<Planned, { leftOut: string }>,
): Promise<Imported> {
  const existing = await findClient(session, client.client_id);
  const instruction = existing
    ? `. This server has a client with the same id; to delete it: \`npm run baton -- clients delete ${quoteArgument(client.client_id)}\``
    : "";
  const notes = [changedNote(`left out: ${leftOut}${instruction}`)];
  return { client, outcome: "left_out", notes };
}

/** Leaves a client that is already there as it is. Only a missing secret is added. */
async function importExisting(
  session: Session,
  { client, notes }: Extract<Planned, { notes: Note[] }>,
  existing: ExistingClient,
  dryRun: boolean,
): Promise<Imported> {
  const { client_id, client_secret, allow_weak_secret } = client;
  // As the client is at this server, which may differ from the file.
  const { token_endpoint_auth_method, grant_types, credentials } = existing;
  const shown = { ...client, token_endpoint_auth_method, grant_types };
  const hasSecrets = token_endpoint_auth_method !== "none";
  const needsSecret = hasSecrets && credentials.length === 0;
  const result = (outcome: Outcome, kept: Note[]) => ({
    client: shown,
    outcome,
    notes: [...kept, ...missingUriNotes(client.redirect_uris, existing)],
  });
  if (!needsSecret || typeof client_secret !== "string") {
    // An earlier import may have set the secret of the file, so the notes about it still apply.
    const kept = notes.filter(({ topic }) =>
      topic === "needs_secret" ? needsSecret : isAboutSecret(topic),
    );
    return result("there_already", hasSecrets ? kept : []);
  }
  if (!dryRun) {
    await session.request({
      method: "POST",
      path: ["clients", client_id, "secrets"],
      body: { client_secret, ...(allow_weak_secret && { allow_weak_secret }) },
      schema: z.unknown(),
    });
  }
  return result(
    "secret_given",
    notes.filter(({ topic }) => isAboutSecret(topic)),
  );
}

function isAboutSecret(topic: Topic): boolean {
  return topic !== "changed" && topic !== "warned";
}

function missingUriNotes(uris: string[], existing: ExistingClient): Note[] {
  return uris
    .filter((uri) => !existing.redirect_uris.includes(uri))
    .map((uri) => droppedUriNote(uri));
}
