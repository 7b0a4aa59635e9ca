import type { Command } from "commander";
import { z } from "zod";
import { UsageError } from "../failure.ts";
import { ListTable } from "../list-table.ts";
import { printable, say, timeText } from "../output.ts";
import { examples } from "../program.ts";
import { parseLimit } from "./limit.ts";
import type { Session } from "./session.ts";

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

interface ListOptions {
  subject?: string;
  client?: string;
  limit?: string;
}

/** `baton grants list`. */
export function grantListCommand(grants: Command, session: Session): void {
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
