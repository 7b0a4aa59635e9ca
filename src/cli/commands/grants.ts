import type { Command } from "commander";
import { z } from "zod";
import {
  addClaimOptions,
  claimFields,
  type ClaimOptions,
  jsonHelp,
} from "./claim-options.ts";
import { collect, mergePatch, refuseEmpty } from "./client-options.ts";
import { UsageError } from "../failure.ts";
import { ListTable } from "../list-table.ts";
import { fields, printable, say, timeText } from "../output.ts";
import { examples } from "../program.ts";
import { parseLimit } from "./limit.ts";
import type { Session } from "./session.ts";
import { unreleasedClaims } from "./unreleased-claims.ts";

const tokens = z.looseObject({
  access_token: z.string(),
  refresh_token: z.string(),
  /** Left out: no scope was granted. */
  scope: z.string().optional(),
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

const details = z.looseObject({ grant_id: z.string(), subject: z.string() });

type Grant = z.output<typeof grant>;

interface ListOptions {
  subject?: string;
  client?: string;
  limit?: string;
}

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

  grants
    .command("list [subject]")
    .description("list the grants of a user; times are in UTC")
    .option("--subject <subject>", "the user, instead of the argument")
    .option("--client <client_id>", "only the grants of this client")
    .option("--limit <n>", "show at most this number of grants")
    .addHelpText(
      "after",
      examples(
        "grants list alice --limit 20",
        "grants list --subject alice --client web",
      ),
    )
    .action(async (argument: string | undefined, options: ListOptions) => {
      const subject = oneSubject(argument, options.subject);
      const found = findGrants(session, subject, options);
      if (session.isJson) {
        const grants = (await Array.fromAsync(found)).flat();
        session.print({ grants }, () => "");
        return;
      }
      const table = new ListTable(columns, { idLine: true });
      for await (const grants of found) table.write(grants.map(rowOf));
      if (table.rows > 0) return;
      const where =
        options.client === undefined
          ? "anywhere"
          : `at ${printable(options.client)}`;
      say(`${printable(subject)} is not logged in ${where}.`);
    });

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

/** @throws UsageError if the user is named twice, or not at all */
function oneSubject(argument?: string, option?: string): string {
  if (argument !== undefined && option !== undefined)
    throw new UsageError(
      "The user is named twice: as the argument and with --subject. Leave out one of them.",
    );
  const subject = argument ?? option;
  if (subject !== undefined) return subject;
  throw new UsageError(
    "The user is missing, because the server lists grants by user. Name the user: grants list alice.",
  );
}

/** Requests the logins page by page. Ends as soon as there are enough. */
async function* findGrants(
  session: Session,
  subject: string,
  { client, limit }: ListOptions,
): AsyncGenerator<Grant[]> {
  let left = parseLimit(limit);
  const path = ["subjects", subject, "grants"];
  const query: Record<string, string> =
    client === undefined ? {} : { client_id: client };
  for await (const next of session.pages(path, page, query)) {
    const grants = next.grants.slice(0, left);
    left -= grants.length;
    yield grants;
    if (left === 0) return;
  }
}

const columns = [
  "grant_id",
  "client_id",
  "scope",
  "created",
  "last used",
  "expires",
];

function rowOf(grant: Grant): string[] {
  return [
    grant.grant_id,
    grant.client_id,
    grant.scope,
    timeText(grant.created_at),
    timeText(grant.last_used_at),
    timeText(grant.expires_at),
  ];
}
