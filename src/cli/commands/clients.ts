import type { Command } from "commander";
import {
  confidentialMethods,
  isBySecret,
} from "../../oauth/authentication-methods.ts";
import { ApiError } from "../failure.ts";
import { fields } from "../output.ts";
import { examples } from "../program.ts";
import { quoteArgument } from "../shell.ts";
import { clientLifeCommands, withSecretNotice } from "./client-life.ts";
import { clientListCommand } from "./client-list.ts";
import { addListOptions, changeLists, listChanges } from "./list-changes.ts";
import { forClient } from "./client-lookup.ts";
import {
  addClientOptions,
  clientFields,
  type ClientOptions,
  clientPatch,
  collect,
} from "./client-options.ts";
import { refuseEmpty } from "./merge-patch.ts";
import {
  type Client,
  client,
  clientWithSecret,
  warnings,
} from "./client-schema.ts";
import { fieldsOfMethods, refuseUnusedKey } from "./key-options.ts";
import type { Session } from "./session.ts";

const secretMethods: readonly string[] = confidentialMethods.filter(isBySecret);

/** `baton clients …`: the clients that may ask for tokens. */
export function clientCommands(program: Command, session: Session): void {
  const clients = program
    .command("clients")
    .description(
      "manage the clients that may ask for tokens; `show`, `update`, `enable`, `delete` and `restore` take the beginning of an id, if there is only one such client",
    );

  clientListCommand(clients, session);

  clients
    .command("show <client_id>")
    .description("show a client, without its secrets")
    .addHelpText("after", examples("clients show web"))
    .action(async (typed: string) => {
      const show = (id: string) =>
        session.request({
          method: "GET",
          path: ["clients", id],
          schema: client,
        });
      session.print(await forClient(session, typed, show), fields);
    });

  createCommand(clients, session);
  updateCommand(clients, session);
  clientLifeCommands(clients, session);
}

function createCommand(clients: Command, session: Session): void {
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
        "clients create --id billing --auth-method private_key_jwt --jwks billing.jwks.json --grant-type client_credentials",
      ),
    )
    .action(async ({ id, ...options }: ClientOptions & { id?: string }) => {
      const fieldsToSet = await clientFields(options);
      refuseUnusedKey(fieldsToSet, fieldsToSet["token_endpoint_auth_method"]);
      const body = await session
        .request({
          method: "POST",
          path: ["clients"],
          body: {
            ...(id !== undefined && { client_id: id }),
            ...fieldsToSet,
          },
          schema: clientWithSecret.extend({ warnings }),
        })
        .catch((error: unknown) => {
          throw withIdOption(error);
        });
      const { warnings: told, ...made } = body;
      session.print(body, () => withSecretNotice(made));
      session.warn(told);
    });
}

/** Names the option in the error that an id is taken, which names the field of the API. */
function withIdOption(error: unknown): unknown {
  if (!(error instanceof ApiError) || error.status !== 409) return error;
  const message = error.message.replaceAll("client_id", "--id");
  return new ApiError(message, error.body, error.status);
}

function updateCommand(clients: Command, session: Session): void {
  const update = clients
    .command("update <client_id>")
    .description("change a client; fields that are not named stay as they are")
    .option(
      "--unset <field>",
      "remove a field, by its name in `clients show`; can be repeated",
      collect,
    );
  addListOptions(addClientOptions(update))
    .addHelpText(
      "after",
      examples(
        'clients update web --scope "read write"',
        "clients update web --add-redirect-uri https://notes.example.com/callback",
        "clients update web --unset client_name --unset access_token_ttl",
      ),
    )
    .action(
      async (
        typed: string,
        { unset = [], ...options }: ClientOptions & { unset?: string[] },
      ) => {
        const patch = await clientPatch(options, unset);
        const changes = listChanges({ ...options }, patch);
        if (changes.length === 0) refuseEmpty(patch);
        const change = async (id: string) => {
          await refuseUnusedKeyOf(session, id, patch);
          return changes.length > 0
            ? changeLists(session, id, changes, patch)
            : session.request({
                method: "PATCH",
                path: ["clients", id],
                body: patch,
                schema: client.extend({ warnings }),
              });
        };
        const body = await forClient(session, typed, change);
        const { warnings: told, ...changed } = body;
        session.print(
          body,
          () => fields(changed) + secretHint(session, changed, patch),
        );
        session.warn(told);
      },
    );
}

/** As `refuseUnusedKey`. A change that does not name the method is compared with the record. */
async function refuseUnusedKeyOf(
  session: Session,
  id: string,
  patch: Record<string, unknown>,
): Promise<void> {
  const { token_endpoint_auth_method: method } = patch;
  if (method !== undefined || fieldsOfMethods(patch).length === 0) {
    refuseUnusedKey(patch, method);
    return;
  }
  const before = await session.request({
    method: "GET",
    path: ["clients", id],
    schema: client,
  });
  refuseUnusedKey(patch, before.token_endpoint_auth_method);
}

/** Names the next command for a client that has gone over to a secret, and has none. Empty: it has one, or needs none. */
function secretHint(
  session: Session,
  { client_id, credentials, token_endpoint_auth_method: method }: Client,
  patch: Record<string, unknown>,
): string {
  const isNew = Object.hasOwn(patch, "token_endpoint_auth_method");
  const needsOne = method === undefined || secretMethods.includes(method);
  return isNew && needsOne && credentials?.length === 0
    ? `\n\nThe client has no secret yet, so it gets no token. Make one: ${session.commandLine(`clients rotate-secret ${quoteArgument(client_id)}`)}`
    : "";
}
