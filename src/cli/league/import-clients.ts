import type { Command } from "commander";
import { z } from "zod";
import { Failure, saidMore } from "../failure.ts";
import { changed, type Note, type Planned } from "./client-plan.ts";
import { type Existing, find, make } from "./client-requests.ts";
import { readOldClients } from "./old-clients.ts";
import { usualScopes } from "./scopes.ts";
import {
  type Imported,
  inWords,
  type Outcome,
  outcomes,
} from "./client-report.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "../session.ts";

const catalogue = z.looseObject({
  scopes: z.array(z.looseObject({ scope: z.string() })),
});

/** `baton league import-clients`: the clients of the old server, with their secrets. */
export function clientImportCommand(league: Command, session: Session): void {
  league
    .command("import-clients <file>")
    .description(
      "make the clients that the old server has; the file is a CSV of their table (oauth_clients in Passport), or JSON",
    )
    .option(
      "--scope <scopes>",
      'what clients may ask for whose row does not say, such as "read write" (default: every scope that there is, as at the old server)',
    )
    .option(
      "--dry-run",
      "check the file and show what would be made; only making a client shows whether the server takes its redirect URIs",
    )
    .addHelpText(
      "after",
      `
Columns are found by their names, as Passport and the examples of league/oauth2-server have them.
Nothing is imported of a file with a bad line. The same file can be imported again: a client that is
there already stays as it is, but is given its secret if it has none.

A secret that the table has in plain text goes on working. A hashed one (bcrypt, argon2) can't be
carried over: to check it at every request would take hundreds of milliseconds, which anybody who
knows a client id could ask for, and more than a request may take on the Workers Free plan. Such a
client is made without a secret, and listed with what to do.
${examples(
  "league import-clients oauth_clients.csv --dry-run",
  'league import-clients oauth_clients.csv --scope "read write"',
)}`,
    )
    .action(
      async (path: string, options: { scope?: string; dryRun?: true }) => {
        const { scopes } = await session.ask({
          method: "GET",
          path: ["scopes"],
          answer: catalogue,
        });
        const planned = await readOldClients(
          path,
          usualScopes(
            scopes.map(({ scope }) => scope),
            options.scope,
          ),
        );
        const dryRun = options.dryRun === true;
        const clients: Imported[] = [];
        const report = { server: await session.server(), dryRun, clients };
        const failure = await importAll(session, planned, dryRun, clients);
        session.show(outcomes(report), () => inWords(report));
        if (failure) throw failure;
        const refused = clients.filter(({ outcome }) => outcome === "refused");
        if (refused.length > 0) {
          throw new Failure(
            `The server refused ${refused.length} of ${clients.length} clients: see the reasons above. Put right what is wrong in ${path}, and run the same command again.`,
          );
        }
      },
    );
}

/**
 * Imports one after the other.
 *
 * @param imported grows with each, so that what was done can be shown whatever comes then
 * @returns why it ended early, if the server can't be asked any more
 */
async function importAll(
  session: Session,
  planned: Planned[],
  dryRun: boolean,
  imported: Imported[],
): Promise<Failure | undefined> {
  for (const each of planned) {
    try {
      imported.push(await importOne(session, each, dryRun));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return saidMore(
        error,
        `It was at ${printable(each.client.client_id)}; ${imported.length} of ${planned.length} clients were dealt with before that.`,
        "Run the same command again: what is there already stays.",
      );
    }
  }
  return undefined;
}

async function importOne(
  session: Session,
  planned: Planned,
  dryRun: boolean,
): Promise<Imported> {
  if ("leftOut" in planned) {
    const notes = [changed(`left out: ${planned.leftOut}`)];
    return { client: planned.client, outcome: "left_out", notes };
  }
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

/** What there is to do about a client that is there already: only a secret that it lacks. */
async function meet(
  session: Session,
  { client, notes }: Extract<Planned, { notes: Note[] }>,
  there: Existing,
  dryRun: boolean,
): Promise<Imported> {
  const { client_id, client_secret } = client;
  // How it is here, which need not be how the file would have it.
  const { token_endpoint_auth_method, grant_types } = there;
  const shown = { ...client, token_endpoint_auth_method, grant_types };
  const lacksSecret =
    there.token_endpoint_auth_method !== "none" &&
    there.credentials.length === 0;
  if (!lacksSecret || typeof client_secret !== "string") {
    const topics = lacksSecret ? ["needs_secret"] : [];
    const kept = notes.filter(({ topic }) => topics.includes(topic));
    return { client: shown, outcome: "there_already", notes: kept };
  }
  if (!dryRun) {
    await session.ask({
      method: "POST",
      path: ["clients", client_id, "secrets"],
      body: { client_secret },
      answer: z.unknown(),
    });
  }
  const kept = notes.filter(({ topic }) => topic !== "changed");
  return { client: shown, outcome: "secret_given", notes: kept };
}
