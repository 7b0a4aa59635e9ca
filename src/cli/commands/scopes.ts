import type { Command } from "commander";
import { z } from "zod";
import type { Session } from "./session.ts";
import { fields, table } from "../output.ts";
import { examples } from "../program.ts";

const scope = z.looseObject({
  scope: z.string(),
  description: z.string(),
  claims: z.array(z.string()).optional(),
});
const catalogue = z.looseObject({ scopes: z.array(scope) });

interface PutOptions {
  claims?: string;
  standardClaims?: true;
}

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
          : catalogueTable(scopes),
      );
    });

  scopes
    .command("put <scope> [description]")
    .description(
      "create a scope, or change it; what is left out stays as it is. openid, profile, email, phone and address need no description",
    )
    .option(
      "--claims <names>",
      'the claims about the user that the scope releases, such as "team email"; "" for none',
    )
    .addOption(
      scopes
        .createOption(
          "--standard-claims",
          "release the claims of OpenID Connect again, which profile, email, phone and address have",
        )
        .conflicts("claims"),
    )
    .addHelpText(
      "after",
      examples(
        'scopes put read "Read your notes"',
        "scopes put openid",
        'scopes put team "See your team" --claims "team role"',
      ),
    )
    .action(
      async (
        name: string,
        description: string | undefined,
        { claims, standardClaims }: PutOptions,
      ) => {
        const body = await session.request({
          method: "PUT",
          path: ["scopes", name],
          body: {
            ...(description !== undefined && { description }),
            ...(claims !== undefined && { claims: namesIn(claims) }),
            ...(standardClaims && { claims: null }),
          },
          schema: scope,
        });
        session.print(body, fields);
      },
    );

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

/** The names in a list with spaces between them. */
function namesIn(list: string): string[] {
  return list.split(" ").filter((name) => name !== "");
}

/** The table of the scopes. It has a column for claims if a scope names any. */
function catalogueTable(scopes: readonly z.output<typeof scope>[]): string {
  const named = scopes.some(({ claims }) => claims);
  return table(
    ["scope", "description", ...(named ? ["claims"] : [])],
    scopes.map((entry) => [
      entry.scope,
      entry.description,
      ...(named ? [claimsText(entry.claims)] : []),
    ]),
  );
}

function claimsText(claims: readonly string[] | undefined): string {
  if (!claims) return "standard";
  return claims.length > 0 ? claims.join(" ") : "none";
}
