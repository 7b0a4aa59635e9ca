import type { Command } from "commander";
import { z } from "zod";
import { collect } from "./client-options.ts";
import { fields, printable, table, timeText } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

const tokens = z.looseObject({
  access_token: z.string(),
  refresh_token: z.string(),
});

const grant = z.looseObject({
  grant_id: z.string(),
  client_id: z.string(),
  scope: z.string(),
  created_at: z.number(),
  last_used_at: z.number(),
  expires_at: z.number(),
});
const page = z.looseObject({
  grants: z.array(grant),
  cursor: z.string().optional(),
});

type Grant = z.output<typeof grant>;

interface GrantOptions {
  client: string;
  subject: string;
  scope?: string;
  resource?: string[];
}

/** `baton grants …`: the grants of users. Each login of a user at a client is one grant. */
export function grantCommands(program: Command, session: Session): void {
  const grants = program
    .command("grants")
    .description(
      "manage grants; each login of a user at a client is one grant",
    );

  grants
    .command("create")
    .description(
      "create a grant for a user whom you have authenticated; shows the first tokens",
    )
    .requiredOption("--client <client_id>", "client that gets the tokens")
    .requiredOption(
      "--subject <subject>",
      "user, as in the claim sub of access tokens",
    )
    .option(
      "--scope <scopes>",
      'scopes to grant, such as "read write" (default: all scopes of the client)',
    )
    .option(
      "--resource <uri>",
      "audience of the access tokens; can be repeated",
      collect,
    )
    .addHelpText(
      "after",
      examples("grants create --client web --subject alice --scope read"),
    )
    .action(async ({ client, ...rest }: GrantOptions) => {
      const body = await session.request({
        method: "POST",
        path: ["grants"],
        body: { client_id: client, ...rest },
        schema: tokens,
      });
      session.print(body, fields);
    });

  grants
    .command("list <subject>")
    .description("list the grants of a user; times are in UTC")
    .addHelpText("after", examples("grants list alice"))
    .action(async (subject: string) => {
      const path = ["subjects", subject, "grants"];
      const pages = await session.requestAllPages(path, page);
      const body = { grants: pages.flatMap((next) => next.grants) };
      session.print(body, ({ grants }) => grantTable(subject, grants));
    });

  grants
    .command("revoke <grant_id>")
    .description("revoke one grant; `grants list` shows its grant_id")
    .addHelpText("after", examples("grants revoke $GRANT_ID"))
    .action(async (id: string) => {
      await session.request({
        method: "DELETE",
        path: ["grants", id],
        schema: z.unknown(),
      });
      session.print({ revoked: id }, () => `Revoked the grant ${id}.`);
    });
}

function grantTable(subject: string, grants: Grant[]): string {
  if (grants.length === 0)
    return `${printable(subject)} is not logged in anywhere.`;
  return table(
    ["grant_id", "client_id", "scope", "created", "last used", "expires"],
    grants.map((grant) => [
      grant.grant_id,
      grant.client_id,
      grant.scope,
      timeText(grant.created_at),
      timeText(grant.last_used_at),
      timeText(grant.expires_at),
    ]),
  );
}
