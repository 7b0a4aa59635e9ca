import type { Command } from "commander";
import { z } from "zod";
import type { Session } from "./session.ts";
import { fields, table } from "../output.ts";
import { examples } from "../program.ts";

const scope = z.looseObject({ scope: z.string(), description: z.string() });
const catalogue = z.looseObject({ scopes: z.array(scope) });

/** `baton scopes …`: the catalogue of scopes. */
export function scopeCommands(program: Command, session: Session): void {
  const scopes = program
    .command("scopes")
    .description("the catalogue of scopes that clients may be given");

  scopes
    .command("list")
    .description("list the scopes")
    .addHelpText("after", examples("scopes list"))
    .action(async () => {
      const answer = await session.ask({
        method: "GET",
        path: ["scopes"],
        answer: catalogue,
      });
      session.show(answer, ({ scopes }) =>
        scopes.length === 0
          ? 'There are no scopes yet. Make one with: scopes put read "Read your notes"'
          : table(
              ["scope", "description"],
              scopes.map(({ scope, description }) => [scope, description]),
            ),
      );
    });

  scopes
    .command("put <scope> <description>")
    .description("add a scope, or change its description")
    .addHelpText("after", examples('scopes put read "Read your notes"'))
    .action(async (name: string, description: string) => {
      const answer = await session.ask({
        method: "PUT",
        path: ["scopes", name],
        body: { description },
        answer: scope,
      });
      session.show(answer, fields);
    });

  scopes
    .command("delete <scope>")
    .description("remove a scope; clients and logins that have it lose it")
    .addHelpText("after", examples("scopes delete read"))
    .action(async (name: string) => {
      await session.ask({
        method: "DELETE",
        path: ["scopes", name],
        answer: z.unknown(),
      });
      session.show({ deleted: name }, () => `Deleted the scope ${name}.`);
    });
}
