import type { Command } from "commander";
import { z } from "zod";
import type { Session } from "./session.ts";
import { fields, table } from "../output.ts";
import { examples } from "../program.ts";

const scope = z.looseObject({ scope: z.string(), description: z.string() });
const catalogue = z.looseObject({ scopes: z.array(scope) });

/** `baton scopes …`: the scope catalogue. */
export function scopeCommands(program: Command, session: Session): void {
  const scopes = program
    .command("scopes")
    .description(
      "manage the scope catalogue, from which clients get their scopes",
    );

  scopes
    .command("list")
    .description("list the scopes")
    .addHelpText("after", examples("scopes list"))
    .action(async () => {
      const body = await session.request({
        method: "GET",
        path: ["scopes"],
        schema: catalogue,
      });
      session.print(body, ({ scopes }) =>
        scopes.length === 0
          ? 'There are no scopes yet. Create one with: npm run baton -- scopes put read "Read your notes"'
          : table(
              ["scope", "description"],
              scopes.map(({ scope, description }) => [scope, description]),
            ),
      );
    });

  scopes
    .command("put <scope> <description>")
    .description("create a scope, or change its description")
    .addHelpText("after", examples('scopes put read "Read your notes"'))
    .action(async (name: string, description: string) => {
      const body = await session.request({
        method: "PUT",
        path: ["scopes", name],
        body: { description },
        schema: scope,
      });
      session.print(body, fields);
    });

  scopes
    .command("delete <scope>")
    .description("delete a scope; clients and grants lose it")
    .addHelpText("after", examples("scopes delete read"))
    .action(async (name: string) => {
      await session.request({
        method: "DELETE",
        path: ["scopes", name],
        schema: z.unknown(),
      });
      session.done({ deleted: name }, () => `Deleted the scope ${name}.`);
    });
}
