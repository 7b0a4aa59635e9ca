import { adminTokenCommands } from "./commands/admin-tokens.ts";
import { applyCommands } from "./apply/index.ts";
import { clientCommands } from "./commands/clients.ts";
import { grantCommands } from "./commands/grants.ts";
import { healthCommand } from "./commands/health.ts";
import { keyCommands } from "./keys/index.ts";
import { leagueCommands } from "./league/index.ts";
import { newProgram, run } from "./program.ts";
import { scopeCommands } from "./commands/scopes.ts";
import { type ProgramOptions, Session } from "./commands/session.ts";
import { setupCommand } from "./setup/index.ts";
import { subjectCommands } from "./commands/subjects.ts";
import { devVarsPath } from "./local/wrangler.ts";

const program = newProgram("baton")
  .description("Manages a Baton server through its admin API.")
  .option(
    "--url <url>",
    "URL of the server (default: $BATON_URL, else http://localhost:8787)",
  )
  .option(
    "--insecure",
    "allow http:// to another machine, so that the network can read the admin token",
  )
  .option("--json", "print the JSON of the admin API, for scripts")
  .addHelpText(
    "after",
    `
The admin token is read from the environment variable BATON_ADMIN_TOKEN. It is sent only to the
server in BATON_URL, so set both. For a server on this machine, the token is also read from
.dev.vars. There is no option for it, because other users of the machine can read a command line.

npm prints a heading before the output. In a script, suppress it with --silent:
  npm run --silent baton -- clients list --json

Examples:
  npm run baton -- scopes put read "Read your notes"
  npm run baton -- clients create --id web --scope read
  npm run baton -- grants create --client web --subject alice
  npm run baton -- subjects logout alice
  BATON_URL=https://auth.example.com npm run baton -- clients list`,
  );

const session = new Session(() => program.opts<ProgramOptions>(), devVarsPath);
scopeCommands(program, session);
clientCommands(program, session);
grantCommands(program, session);
subjectCommands(program, session);
adminTokenCommands(program, session);
healthCommand(program, session);
keyCommands(program, session);
applyCommands(program, session);
leagueCommands(program, session);
setupCommand(program);

await run(program);
