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

/** `baton grants …`: logins of users, each a family of refresh tokens. */
export function grantCommands(program: Command, session: Session): void {
  const grants = program
    .command("grants")
    .description("logins of users, each a family of refresh tokens");

  grants
    .command("create")
    .description("log a user in at a client; shows the first pair of tokens")
    .requiredOption("--client <client_id>", "the client")
    .requiredOption("--subject <subject>", "the user, as access tokens name it")
    .option(
      "--scope <scopes>",
      'the scopes to grant, such as "read write" (default: all of the client)',
    )
    .option(
      "--resource <uri>",
      "an audience of the access tokens; may be repeated",
      collect,
    )
    .addHelpText(
      "after",
      examples("grants create --client web --subject alice --scope read"),
    )
    .action(async ({ client, ...named }: GrantOptions) => {
      const answer = await session.ask({
        method: "POST",
        path: ["grants"],
        body: { client_id: client, ...named },
        answer: tokens,
      });
      session.show(answer, fields);
    });

  grants
    .command("list <subject>")
    .description("list where a user is logged in; times are UTC")
    .addHelpText("after", examples("grants list alice"))
    .action(async (subject: string) => {
      const path = ["subjects", subject, "grants"];
      const pages = await session.askEveryPage(path, page);
      const answer = { grants: pages.flatMap((next) => next.grants) };
      session.show(answer, ({ grants }) => grantTable(subject, grants));
    });

  grants
    .command("revoke <grant_id>")
    .description("end one login, by the id that `grants list` has for it")
    .addHelpText("after", examples("grants revoke $GRANT_ID"))
    .action(async (id: string) => {
      await session.ask({
        method: "DELETE",
        path: ["grants", id],
        answer: z.unknown(),
      });
      session.show({ revoked: id }, () => `Revoked the grant ${id}.`);
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
