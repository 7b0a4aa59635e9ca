import type { Command } from "commander";
import { adminTokenCommands } from "./commands/admin-tokens.ts";
import { applyCommands } from "./apply/index.ts";
import { completionCommand } from "./commands/completion.ts";
import { clientCommands } from "./commands/clients.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { grantCommands } from "./commands/grants.ts";
import { healthCommand } from "./commands/health.ts";
import { keyCommands } from "./keys/index.ts";
import { leagueCommands } from "./league/index.ts";
import { beQuiet } from "./output.ts";
import { profileCommands } from "./commands/profiles.ts";
import { resourceCommands } from "./commands/resources.ts";
import { newProgram, run, standWhereNpmWasRun } from "./program.ts";
import { scopeCommands } from "./commands/scopes.ts";
import { type ProgramOptions, Session } from "./commands/session.ts";
import { setupCommand } from "./setup/index.ts";
import { subjectCommands } from "./commands/subjects.ts";
import { devVarsPath } from "./local/wrangler.ts";
import { version } from "./version.ts";
import { tryCommand } from "./commands/try.ts";
import { tokenCommands } from "./commands/tokens.ts";

const program = newProgram("baton")
  .description("Manages a Baton server through its admin API.")
  .version(version, "-V, --version", "show the version of this checkout")
  .option(
    "--url <url>",
    "URL of the server (default: that of --env, else $BATON_URL, else http://localhost:8787)",
  )
  .option(
    "--env <profile>",
    "profile of the server and its admin token; `profiles add` makes one (after setup: the environment)",
  )
  .option(
    "--insecure",
    "allow http:// to another machine, so that the network can read the admin token",
  )
  .option("--json", "print the JSON of the admin API, for scripts")
  .option("-q, --quiet", "print results and errors only")
  .option("-y, --yes", "do not ask before a change that loses something")
  .hook("preAction", (_, command) => beforeAction(command))
  .addHelpText(
    "after",
    `
The admin token is read from the environment variable BATON_ADMIN_TOKEN. It is sent only to the
server in BATON_URL, so set both. For several servers, give each a profile. For a server on this machine, the token is also read from
.dev.vars. There is no option for it, because other users of the machine can read a command line.

npm prints a heading before the output. In a script, suppress it with --silent:
  npm run --silent baton -- clients list --json
"npm link" installs the command "baton", which prints none.

Examples:
  npm run baton -- scopes put read "Read your notes"
  npm run baton -- clients create --id web --scope read
  npm run baton -- grants create --client web --subject alice
  npm run baton -- subjects logout alice
  BATON_URL=https://auth.example.com npm run baton -- clients list`,
  );

const session = new Session(() => program.opts<ProgramOptions>(), devVarsPath);
scopeCommands(program, session);
resourceCommands(program, session);
clientCommands(program, session);
grantCommands(program, session);
subjectCommands(program, session);
adminTokenCommands(program, session);
healthCommand(program, session);
keyCommands(program, session);
applyCommands(program, session);
leagueCommands(program, session);
setupCommand(program);
profileCommands(program, session);
tokenCommands(program, session);
tryCommand(program, session);
doctorCommand(program, session);
completionCommand(program);

/** Some commands have a global option of their own, so that their help shows it. Commander gives it to the program. */
function beforeAction(command: Command): void {
  standWhereNpmWasRun();
  if (program.opts<ProgramOptions>().quiet) beQuiet();
  for (const [name, value] of Object.entries(program.opts())) {
    if (command.options.some((option) => option.attributeName() === name))
      command.setOptionValue(name, value);
  }
}

await run(program);
