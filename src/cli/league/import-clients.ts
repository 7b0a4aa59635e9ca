import type { Command } from "commander";
import { z } from "zod";
import { Failure, saidMore } from "../failure.ts";
import { importOne } from "./client-import.ts";
import type { Planned } from "./client-plan.ts";
import { readOldClients } from "./old-clients.ts";
import { usualScopes } from "./scopes.ts";
import { type Imported, inWords, outcomes } from "./client-report.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "../commands/session.ts";

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
      "check the file and show what would be made; only making a client shows whether the server takes its redirect URIs, and whether its id was that of a client that was deleted",
    )
    .addHelpText(
      "after",
      `
Columns are found by their names, as Passport and the examples of league/oauth2-server have them. One has
to tell which clients are public: secret, or confidential.

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
