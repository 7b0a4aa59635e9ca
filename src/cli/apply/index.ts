import type { Command } from "commander";
import { collect } from "../commands/client-options.ts";
import type { Session } from "../commands/session.ts";
import { yesOption } from "../confirm.ts";
import { examples } from "../program.ts";
import type { ApplyOptions } from "./apply.ts";
import type { ExportOptions } from "./export.ts";

/** `baton export` and `baton apply`: scopes and clients in a file. Both are loaded when they are needed. */
export function applyCommands(program: Command, session: Session): void {
  program
    .command("export")
    .description(
      "print the scopes, resources and clients, without secrets, in the form that `apply` reads: YAML, or JSON with --json",
    )
    .option("--clients", "only the clients")
    .option("--scopes", "only the scopes")
    .option("--resources", "only the protected resources")
    .addHelpText("after", examples("export > clients.yaml", "export --scopes"))
    .action(async (options: ExportOptions) => {
      const { exportAll } = await import("./export.ts");
      await exportAll(session, options);
    });

  program
    .command("apply <file>")
    .description(
      "make scopes, resources and clients as a file says, in YAML or JSON: shows the difference, and asks. What the file does not name stays as it is",
    )
    .option("--dry-run", "show the difference, and change nothing")
    .option(
      "--prune <name>",
      "delete this client, scope or resource, which the file does not have; client:NAME, scope:NAME or resource:URI if several exist; can be repeated",
      collect,
      [],
    )
    .option(
      "--no-secrets",
      "create clients without a secret (default: shows the secret of each new client once)",
    )
    .option(...yesOption)
    .addHelpText(
      "after",
      examples(
        "apply clients.yaml --dry-run",
        "apply clients.yaml --prune old-app",
      ),
    )
    .action(async (file: string, options: ApplyOptions) => {
      const { apply } = await import("./apply.ts");
      await apply(session, file, options);
    });
}
