import type { Command } from "commander";
import { z } from "zod";
import {
  type ClientOptions,
  clientFields,
  clientPatch,
  collect,
  addClientOptions,
} from "./client-options.ts";
import { fields, printable, table, timeText } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

const client = z.looseObject({
  client_id: z.string(),
  client_name: z.string().optional(),
  token_endpoint_auth_method: z.string().optional(),
  grant_types: z.array(z.string()),
  scope: z.string(),
});
const page = z.looseObject({
  clients: z.array(client),
  malformed: z
    .array(z.object({ name: z.string(), problem: z.string() }))
    .optional(),
  cursor: z.string().optional(),
});
const clientWithSecret = client.extend({
  client_secret: z.string().optional(),
});
/** The warnings in the answer to a client that was created or changed. */
const warnings = z.array(z.string()).optional();

const endedClient = client.extend({ tokens_not_before: z.int() });

type Client = z.output<typeof client>;

/** `baton clients …`: the clients that may ask for tokens. */
export function clientCommands(program: Command, session: Session): void {
  const clients = program
    .command("clients")
    .description("manage the clients that may ask for tokens");

  clients
    .command("list")
    .description("list all clients")
    .addHelpText("after", examples("clients list"))
    .action(async () => {
      const pages = await session.requestAllPages(["clients"], page);
      const malformed = pages.flatMap((next) => next.malformed ?? []);
      const all = {
        clients: pages.flatMap((next) => next.clients),
        ...(malformed.length > 0 && { malformed }),
      };
      session.print(all, ({ clients }) =>
        [clientTable(clients), ...malformed.map(malformedNotice)].join("\n"),
      );
    });

  clients
    .command("show <client_id>")
    .description("show a client, without its secrets")
    .addHelpText("after", examples("clients show web"))
    .action(async (id: string) => {
      const body = await session.request({
        method: "GET",
        path: ["clients", id],
        schema: client,
      });
      session.print(body, fields);
    });

  const create = clients
    .command("create")
    .description(
      "create a client; shows its secret, which cannot be shown again",
    )
    .option(
      "--id <client_id>",
      "client identifier (default: the server generates one)",
    );
  addClientOptions(create)
    .addHelpText(
      "after",
      examples(
        'clients create --id web --name "Notes" --scope "read write"',
        "clients create --id app --public --redirect-uri https://app.example.com/callback",
      ),
    )
    .action(async ({ id, ...options }: ClientOptions & { id?: string }) => {
      const body = await session.request({
        method: "POST",
        path: ["clients"],
        body: {
          ...(id !== undefined && { client_id: id }),
          ...clientFields(options),
        },
        schema: clientWithSecret.extend({ warnings }),
      });
      const { warnings: told, ...made } = body;
      session.print(body, () => withSecretNotice(made));
      session.warn(told);
    });

  const update = clients
    .command("update <client_id>")
    .description("change a client; fields that are not named stay as they are")
    .option(
      "--unset <field>",
      "remove a field, by its name in `clients show`; can be repeated",
      collect,
      [],
    );
  addClientOptions(update)
    .addHelpText(
      "after",
      examples(
        'clients update web --scope "read write"',
        "clients update web --unset client_name --unset access_token_ttl",
      ),
    )
    .action(
      async (
        id: string,
        { unset, ...options }: ClientOptions & { unset: string[] },
      ) => {
        const body = await session.request({
          method: "PATCH",
          path: ["clients", id],
          body: clientPatch(options, unset),
          schema: client.extend({ warnings }),
        });
        const { warnings: told, ...changed } = body;
        session.print(body, () => fields(changed));
        session.warn(told);
      },
    );

  clients
    .command("end-logins <client_id>")
    .description(
      "end all logins and tokens that a client has now, such as after a leak; its users must sign in again",
    )
    .addHelpText("after", examples("clients end-logins web"))
    .action(async (id: string) => {
      const body = await session.request({
        method: "PATCH",
        path: ["clients", id],
        // The server's own time, because the clock of this machine may be behind.
        body: { tokens_not_before: "now" },
        schema: endedClient,
      });
      session.print(body, endedMessage);
    });

  clients
    .command("delete <client_id>")
    .description("delete a client; its refresh tokens stop working")
    .addHelpText("after", examples("clients delete web"))
    .action(async (id: string) => {
      await session.request({
        method: "DELETE",
        path: ["clients", id],
        schema: z.unknown(),
      });
      session.print({ deleted: id }, () => `Deleted the client ${id}.`);
    });

  clients
    .command("rotate-secret <client_id>")
    .description(
      "create a new secret for a client; shows it, and it cannot be shown again",
    )
    .option(
      "--old-secret-ttl <duration>",
      "time that the old secrets keep working, such as PT1H or PT0S (default: PT24H)",
    )
    .addHelpText(
      "after",
      examples(
        "clients rotate-secret web",
        "clients rotate-secret web --old-secret-ttl PT0S",
      ),
    )
    .action(async (id: string, options: { oldSecretTtl?: string }) => {
      const { oldSecretTtl: old_secret_ttl } = options;
      const body = await session.request({
        method: "POST",
        path: ["clients", id, "secrets"],
        body: { ...(old_secret_ttl !== undefined && { old_secret_ttl }) },
        schema: clientWithSecret,
      });
      session.print(body, withSecretNotice);
    });
}

function malformedNotice({ name, problem }: { name: string; problem: string }) {
  return `The record ${printable(name)} cannot be read (${printable(problem)}). To remove it, use \`clients delete\`.`;
}

function clientTable(clients: Client[]): string {
  if (clients.length === 0)
    return "There are no clients yet. Create one with: npm run baton -- clients create --id web";
  return table(
    ["client_id", "name", "authentication", "grant types", "scope"],
    clients.map((client) => [
      client.client_id,
      client.client_name ?? "",
      client.token_endpoint_auth_method ?? "secret",
      client.grant_types.join(" "),
      client.scope,
    ]),
  );
}

function endedMessage({
  client_id,
  tokens_not_before,
}: z.output<typeof endedClient>): string {
  return `Ended all logins of the client ${printable(client_id)} up to ${timeText(tokens_not_before)}. Other locations learn of it within about two minutes. Access tokens that were issued already expire by themselves; only introspection refuses them.`;
}

function withSecretNotice(client: z.output<typeof clientWithSecret>): string {
  const notice =
    client.client_secret === undefined
      ? ""
      : "\n\nStore the client_secret now. It cannot be shown again, because the server keeps only a hash of it.";
  return fields(client) + notice;
}
