import type { Command } from "commander";
import { ListTable } from "../list-table.ts";
import { printable, say, timeText } from "../output.ts";
import { examples } from "../program.ts";
import { clientPage, type ListedClient } from "./client-schema.ts";
import { parseLimit } from "./limit.ts";
import type { Session } from "./session.ts";

interface ListOptions {
  limit?: string;
  name?: string;
  disabled?: true;
  deleted?: true;
}

type Malformed = { name: string; problem: string };

/** `baton clients list`: the clients, or some of them, page by page. */
export function clientListCommand(clients: Command, session: Session): void {
  clients
    .command("list")
    .description("list the clients")
    .option("--limit <n>", "show at most this number of clients")
    .option(
      "--name <text>",
      "only clients with this text in the name or the id; case does not matter",
    )
    .option("--disabled", "only clients that are disabled")
    .option(
      "--deleted",
      "the deleted clients that can be restored, and until when",
    )
    .addHelpText(
      "after",
      examples(
        "clients list",
        "clients list --name notes --limit 20",
        "clients list --deleted",
      ),
    )
    .action(async (options: ListOptions) => {
      const found = findClients(session, options);
      if (session.isJson) {
        const all: ListedClient[] = [];
        const malformed: Malformed[] = [];
        for await (const page of found) {
          all.push(...page.clients);
          malformed.push(...page.malformed);
        }
        const list = {
          clients: all,
          ...(malformed.length > 0 && { malformed }),
        };
        session.print(list, () => "");
        return;
      }
      const { head, row } = options.deleted ? deletedColumns : columns;
      const table = new ListTable(head);
      let hasMalformed = false;
      for await (const page of found) {
        table.write(page.clients.map(row));
        for (const problem of page.malformed) say(malformedNotice(problem));
        hasMalformed ||= page.malformed.length > 0;
      }
      if (table.rows === 0 && !hasMalformed) say(nothingFound(options));
    });
}

/** Finds the clients that match the options. Ends as soon as there are enough. */
async function* findClients(
  session: Session,
  { limit, name, disabled, deleted }: ListOptions,
): AsyncGenerator<{ clients: ListedClient[]; malformed: Malformed[] }> {
  let left = parseLimit(limit);
  const wanted = name?.toLowerCase();
  const fits = ({ client_id, client_name = "", disabled_at }: ListedClient) =>
    (wanted === undefined ||
      [client_id, client_name].some((text) =>
        text.toLowerCase().includes(wanted),
      )) &&
    (!disabled || disabled_at !== undefined);
  const pages = session.pages(
    ["clients"],
    clientPage,
    deleted ? { deleted: "true" } : {},
  );
  for await (const page of pages) {
    const clients = page.clients.filter(fits).slice(0, left);
    left -= clients.length;
    // Nobody can tell what a record is that cannot be read, so it is shown only if all are asked for.
    const all = wanted === undefined && !disabled && !deleted;
    yield { clients, malformed: all ? (page.malformed ?? []) : [] };
    if (left === 0) return;
  }
}

const columns = {
  head: [
    "client_id",
    "name",
    "authentication",
    "grant types",
    "scope",
    "registered by",
  ],
  row: (client: ListedClient) => [
    client.client_id,
    client.client_name ?? "",
    client.disabled_at === undefined
      ? (client.token_endpoint_auth_method ?? "secret")
      : "disabled",
    client.grant_types.join(" "),
    client.scope,
    registrationText(client),
  ],
};

/** Says how a client came in that no administrator has registered, and until when it stays. */
function registrationText({
  registered_by,
  registration_expires_at: end,
}: ListedClient): string {
  if (registered_by === undefined) return "";
  const how = registered_by === "metadata_document" ? "its document" : "itself";
  return end === undefined ? how : `${how}, until ${timeText(end)}`;
}

const deletedColumns = {
  head: ["client_id", "name", "deleted", "restorable until"],
  row: ({
    client_id,
    client_name = "",
    deleted_at = 0,
    restorable_until = 0,
  }: ListedClient) => [
    client_id,
    client_name,
    timeText(deleted_at),
    timeText(restorable_until),
  ],
};

function malformedNotice({ name, problem }: Malformed) {
  return `The record ${printable(name)} cannot be read (${printable(problem)}). To remove it, use \`clients delete\`.`;
}

function nothingFound({ name, disabled, deleted }: ListOptions): string {
  if (name !== undefined) return "No client matches.";
  if (deleted) return "There are no deleted clients that can be restored.";
  if (disabled) return "No client is disabled.";
  return "There are no clients yet. Create one with: npm run baton -- clients create --id web";
}
