import type { Command } from "commander";
import { z } from "zod";
import { addDetails, Failure } from "../failure.ts";
import { importClient } from "./client-import.ts";
import type { Planned } from "./client-plan.ts";
import { readOldClients } from "./old-clients.ts";
import { scopesWithDefaults } from "./scopes.ts";
import { type Imported, toJsonReport, toTextReport } from "./client-report.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "../commands/session.ts";

const catalogue = z.looseObject({
  scopes: z.array(z.looseObject({ scope: z.string() })),
});

interface Options {
  scope?: string;
  dryRun?: true;
  allowWeakSecrets?: true;
}

/** `baton league import-clients`: creates the clients of the old server, with their secrets. */
export function clientImportCommand(league: Command, session: Session): void {
  league
    .command("import-clients <file>")
    .description(
      "create the clients of the old server; the file is a CSV of their table (oauth_clients in Passport), or JSON",
    )
    .option(
      "--scope <scopes>",
      'scopes of clients whose row names none, such as "read write" (default: all scopes, as at the old server)',
    )
    .option(
      "--dry-run",
      "check the file and show what would be created, without creating anything; redirect URIs, and ids of deleted clients, are checked only by a real import",
    )
    .option(
      "--allow-weak-secrets",
      "import also secrets that can be guessed (shorter than 16 characters, or one repeated character); replace them within a day",
    )
    .addHelpText(
      "after",
      `
The columns are found by their names in Passport and in the examples of league/oauth2-server. A column
secret or confidential is required, because it says which clients are public.

If a line is wrong, nothing is imported. The same file can be imported again: a client that already
exists is not changed, but gets its secret if it has none.

A secret in plain text keeps working, if it has at least 16 characters. A shorter one is left out, and
the report lists its client with what to do. A hashed secret (bcrypt, argon2) cannot be imported, because
verifying it takes hundreds of milliseconds per request: anybody who knows a client id could cause
that load, and it is more than the Workers Free plan allows. The client is created without a secret,
and the report lists it with what to do.
${examples(
  "league import-clients oauth_clients.csv --dry-run",
  'league import-clients oauth_clients.csv --scope "read write"',
)}`,
    )
    .action(async (path: string, options: Options) => {
      const { scopes } = await session.request({
        method: "GET",
        path: ["scopes"],
        schema: catalogue,
      });
      const planned = await readOldClients(path, {
        scopes: scopesWithDefaults(
          scopes.map(({ scope }) => scope),
          options.scope,
        ),
        allowWeakSecrets: options.allowWeakSecrets === true,
      });
      const dryRun = options.dryRun === true;
      const clients: Imported[] = [];
      const report = { server: await session.serverUrl(), dryRun, clients };
      const failure = await importAll(session, planned, dryRun, clients);
      session.print(toJsonReport(report), () => toTextReport(report));
      if (failure) throw failure;
      const refused = clients.filter(({ outcome }) => outcome === "refused");
      if (refused.length > 0) {
        throw new Failure(
          `The server refused ${refused.length} of ${clients.length} clients. The report above has the reasons. Correct ${path} and run the same command again.`,
        );
      }
    });
}

/**
 * Imports the clients one after the other.
 *
 * @param imported collects the results, so that the caller can report them even after a failure
 * @returns the failure that ended the import early, if there was one
 */
async function importAll(
  session: Session,
  planned: Planned[],
  dryRun: boolean,
  imported: Imported[],
): Promise<Failure | undefined> {
  for (const each of planned) {
    try {
      imported.push(await importClient(session, each, dryRun));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return addDetails(
        error,
        `The import stopped at the client ${printable(each.client.client_id)}. Before that, ${imported.length} of ${planned.length} clients were processed.`,
        "Run the same command again: clients that already exist are not changed.",
      );
    }
  }
  return undefined;
}
