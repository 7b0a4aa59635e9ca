import type { Command } from "commander";
import { z } from "zod";
import { OPENID, standardScopes } from "../../oauth/openid/scopes.ts";
import { confirm, type ConfirmOptions, yesOption } from "../confirm.ts";
import { clientPage } from "./client-schema.ts";
import type { Session } from "./session.ts";
import { fields, printable, table } from "../output.ts";
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
    .description(
      "delete a scope; clients and grants lose it. Asks first on a terminal if clients have it, and always for openid",
    )
    .option(...yesOption)
    .addHelpText("after", examples("scopes delete read"))
    .action(async (name: string, options: ConfirmOptions) => {
      if (!options.yes) await confirmDeletion(session, name, options);
      await session.request({
        method: "DELETE",
        path: ["scopes", name],
        schema: z.unknown(),
      });
      session.done({ deleted: name }, () => `Deleted the scope ${name}.`);
    });
}

/**
 * Says how many clients lose the scope, and asks. Without a terminal it asks for openid only, because that turns
 * OpenID Connect off.
 */
async function confirmDeletion(
  session: Session,
  name: string,
  options: ConfirmOptions,
): Promise<void> {
  const isOpenId = name === OPENID;
  if (!isOpenId && !process.stdin.isTTY) return;
  const { scopes } = await session.request({
    method: "GET",
    path: ["scopes"],
    schema: catalogue,
  });
  if (!scopes.some(({ scope }) => scope === name)) return;
  const count = await countClientsWith(session, name);
  if (!isOpenId && count === 0) return;
  const having = `${count} client${count === 1 ? " has" : "s have"} the scope`;
  const url = await session.serverUrl();
  await confirm(
    isOpenId
      ? `This turns OpenID Connect off on ${url}: ${having}. Their users get no ID tokens.`
      : `This deletes the scope ${printable(name)} on ${url}: ${having}, and lose${count === 1 ? "s" : ""} it, and so do their grants.`,
    options,
  );
}

async function countClientsWith(
  session: Session,
  name: string,
): Promise<number> {
  let count = 0;
  for await (const { clients } of session.pages(["clients"], clientPage))
    count += clients.filter(({ scope }) =>
      scope.split(" ").includes(name),
    ).length;
  return count;
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
      ...(named ? [claimsText(entry)] : []),
    ]),
  );
}

function claimsText({
  scope,
  claims,
}: z.output<typeof catalogue>["scopes"][number]): string {
  if (!claims) return Object.hasOwn(standardScopes, scope) ? "standard" : "";
  return claims.length > 0 ? claims.join(" ") : "none";
}
