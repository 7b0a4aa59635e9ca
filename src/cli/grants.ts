import type { Command } from "commander";
import { z } from "zod";
import { collect } from "./client-options.ts";
import { fields } from "./output.ts";
import { examples } from "./program.ts";
import type { Session } from "./session.ts";

const tokens = z.looseObject({
  access_token: z.string(),
  refresh_token: z.string(),
});

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
}
