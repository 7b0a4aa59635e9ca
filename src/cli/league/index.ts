import type { Command } from "commander";
import { clientImportCommand } from "./import-clients.ts";
import { importRevokedCommand } from "./import-revoked.ts";
import { leagueStatusCommand } from "./status.ts";
import type { Session } from "../commands/session.ts";

/** `baton league …`: moves clients and tokens from league/oauth2-server or Laravel Passport, the old server. */
export function leagueCommands(program: Command, session: Session): void {
  const league = program
    .command("league")
    .description(
      "move from league/oauth2-server or Laravel Passport (the old server) to Baton",
    );

  clientImportCommand(league, session);
  importRevokedCommand(league, session);
  leagueStatusCommand(league, session);
}
