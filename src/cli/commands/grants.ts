import type { Command } from "commander";
import { z } from "zod";
import {
  addClaimOptions,
  claimFields,
  type ClaimOptions,
  jsonHelp,
} from "./claim-options.ts";
import { collect } from "./client-options.ts";
import { mergePatch, refuseEmpty } from "./merge-patch.ts";
import { fields, timeText } from "../output.ts";
import { examples } from "../program.ts";
import { grantListCommand } from "./grant-list.ts";
import type { Session } from "./session.ts";
import { unreleasedClaims } from "./unreleased-claims.ts";

const tokens = z.looseObject({
  access_token: z.string(),
  refresh_token: z.string(),
  /** Left out: no scope was granted. */
  scope: z.string().optional(),
});

const details = z.looseObject({ grant_id: z.string(), subject: z.string() });

interface GrantOptions extends ClaimOptions {
  client: string;
  subject: string;
  scope?: string;
  resource?: string[];
  dpopJkt?: string;
  certificateThumbprint?: string;
}

/** `baton grants …`: the grants of users. Each login of a user at a client is one grant. */
export function grantCommands(program: Command, session: Session): void {
  const grants = program
    .command("grants")
    .description(
      "manage grants; each login of a user at a client is one grant",
    );

  const create = grants
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
    .option(
      "--dpop-jkt <thumbprint>",
      "thumbprint of the key of the client's DPoP proofs (default: bearer tokens)",
    )
    .option(
      "--certificate-thumbprint <thumbprint>",
      "SHA-256 thumbprint in base64url of the client certificate, for a client that was made with --certificate-bound",
    );
  addClaimOptions(create)
    .addHelpText(
      "after",
      jsonHelp +
        examples(
          "grants create --client web --subject alice --scope read",
          `grants create --client web --subject alice --auth-time now --claims '{"roles": ["editor"]}' --userinfo @alice.json`,
        ),
    )
    .action(
      async ({
        client,
        subject,
        scope,
        resource,
        dpopJkt,
        certificateThumbprint,
        ...rest
      }: GrantOptions) => {
        const claims = await claimFields(rest);
        const body = await session.request({
          method: "POST",
          path: ["grants"],
          body: {
            client_id: client,
            subject,
            ...(scope !== undefined && { scope }),
            ...(resource && { resource }),
            ...(dpopJkt !== undefined && { dpop_jkt: dpopJkt }),
            ...(certificateThumbprint !== undefined && {
              "x5t#S256": certificateThumbprint,
            }),
            ...claims,
          },
          schema: tokens,
        });
        session.print(body, fields);
        session.warn(await unreleasedClaims(session, claims, body.scope));
      },
    );

  const update = grants
    .command("update <grant_id>")
    .description(
      "change what a grant says about its user; an option replaces the whole field, and the next access token has it",
    )
    .option(
      "--unset <field>",
      "remove a field, by its name in `grants show`; can be repeated",
      collect,
    );
  addClaimOptions(update)
    .addHelpText(
      "after",
      jsonHelp +
        examples(
          "grants update $GRANT_ID --claims @claims.json",
          "grants update $GRANT_ID --unset userinfo --unset acr",
        ),
    )
    .action(
      async (
        id: string,
        { unset = [], ...options }: ClaimOptions & { unset?: string[] },
      ) => {
        const patch = mergePatch(await claimFields(options), unset);
        refuseEmpty(patch);
        const body = await session.request({
          method: "PATCH",
          path: ["grants", id],
          body: patch,
          schema: details,
        });
        session.print(body, detailsText);
      },
    );

  grantListCommand(grants, session);

  grants
    .command("show <grant_id>")
    .description("show one grant; `grants list` and the log have its grant_id")
    .addHelpText("after", examples("grants show $GRANT_ID"))
    .action(async (id: string) => {
      const body = await session.request({
        method: "GET",
        path: ["grants", id],
        schema: details,
      });
      session.print(body, detailsText);
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
      session.done({ revoked: id }, () => `Revoked the grant ${id}.`);
    });
}

/** Formats a grant. Claims are shown in JSON, as they were given; `cnf` as by `token inspect`. */
function detailsText(grant: z.output<typeof details>): string {
  const readable = Object.entries(grant).map(([name, value]) => [
    name,
    name === "auth_time" && typeof value === "number"
      ? timeText(value)
      : typeof value === "object" && !Array.isArray(value) && name !== "cnf"
        ? JSON.stringify(value)
        : value,
  ]);
  return fields(Object.fromEntries(readable));
}
