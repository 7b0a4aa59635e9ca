import type { Command } from "commander";
import { z } from "zod";
import {
  type ClientOptions,
  clientFields,
  clientPatch,
  collect,
  describeClient,
} from "./client-options.ts";
import { fields, printable, table } from "../output.ts";
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

type Client = z.output<typeof client>;

/** `baton clients …`: who may ask for tokens. */
export function clientCommands(program: Command, session: Session): void {
  const clients = program
    .command("clients")
    .description("the clients that may ask for tokens");

  clients
    .command("list")
    .description("list all clients")
    .addHelpText("after", examples("clients list"))
    .action(async () => {
      const pages = await session.askEveryPage(["clients"], page);
      const malformed = pages.flatMap((next) => next.malformed ?? []);
      const all = {
        clients: pages.flatMap((next) => next.clients),
        ...(malformed.length > 0 && { malformed }),
      };
      session.show(all, ({ clients }) =>
        [clientTable(clients), ...malformed.map(unreadable)].join("\n"),
      );
    });

  clients
    .command("show <client_id>")
    .description("show a client; its secrets can't be shown")
    .addHelpText("after", examples("clients show web"))
    .action(async (id: string) => {
      const answer = await session.ask({
        method: "GET",
        path: ["clients", id],
        answer: client,
      });
      session.show(answer, fields);
    });

  const create = clients
    .command("create")
    .description("make a client; shows its secret, this one time")
    .option(
      "--id <client_id>",
      "its identifier (default: the server makes one)",
    );
  describeClient(create)
    .addHelpText(
      "after",
      examples(
        'clients create --id web --name "Notes" --scope "read write"',
        "clients create --id app --public --redirect-uri https://app.example.com/callback",
      ),
    )
    .action(async ({ id, ...options }: ClientOptions & { id?: string }) => {
      const answer = await session.ask({
        method: "POST",
        path: ["clients"],
        body: {
          ...(id !== undefined && { client_id: id }),
          ...clientFields(options),
        },
        answer: clientWithSecret,
      });
      session.show(answer, withSecret);
    });

  const update = clients
    .command("update <client_id>")
    .description("change a client; what is not named stays as it is")
    .option(
      "--unset <field>",
      "take a field away, by the name that `clients show` has for it; may be repeated",
      collect,
      [],
    );
  describeClient(update)
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
        const answer = await session.ask({
          method: "PATCH",
          path: ["clients", id],
          body: clientPatch(options, unset),
          answer: client,
        });
        session.show(answer, fields);
      },
    );

  clients
    .command("delete <client_id>")
    .description("delete a client; its refresh tokens end with it")
    .addHelpText("after", examples("clients delete web"))
    .action(async (id: string) => {
      await session.ask({
        method: "DELETE",
        path: ["clients", id],
        answer: z.unknown(),
      });
      session.show({ deleted: id }, () => `Deleted the client ${id}.`);
    });

  clients
    .command("rotate-secret <client_id>")
    .description("give a client a new secret; shows it this one time")
    .option(
      "--old-secret-ttl <duration>",
      "how long the old secrets still work, such as PT1H or PT0S (default: a day)",
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
      const answer = await session.ask({
        method: "POST",
        path: ["clients", id, "secrets"],
        body: { ...(old_secret_ttl !== undefined && { old_secret_ttl }) },
        answer: clientWithSecret,
      });
      session.show(answer, withSecret);
    });
}

function unreadable({ name, problem }: { name: string; problem: string }) {
  return `The record ${printable(name)} can't be read (${printable(problem)}). \`clients delete\` removes it.`;
}

function clientTable(clients: Client[]): string {
  if (clients.length === 0)
    return "There are no clients yet. Make one with: clients create --id web";
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

function withSecret(client: z.output<typeof clientWithSecret>): string {
  const notice =
    client.client_secret === undefined
      ? ""
      : "\n\nThe secret is shown this one time; the server keeps only a hash of it.";
  return fields(client) + notice;
}
