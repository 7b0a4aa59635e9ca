import type { Command } from "commander";
import { z } from "zod";
import {
  confirm,
  confirmOnTerminal,
  type ConfirmOptions,
  yesOnTerminalOption,
  yesOption,
} from "../confirm.ts";
import { ApiError } from "../failure.ts";
import { fields, printable, timeText } from "../output.ts";
import { examples } from "../program.ts";
import { quoteArgument } from "../shell.ts";
import { forClient, forExactClient } from "./client-lookup.ts";
import { client, clientWithSecret } from "./client-schema.ts";
import type { Session } from "./session.ts";

const endedClient = client.extend({ tokens_not_before: z.int() });

/** The commands that stop a client, end its logins, or bring it back. */
export function clientLifeCommands(clients: Command, session: Session): void {
  disableCommands(clients, session);

  clients
    .command("logout <client_id>")
    .alias("end-logins")
    .description(
      "end all logins and tokens that a client has now, such as after a leak; its users must sign in again; asks first on a terminal",
    )
    .option(...yesOnTerminalOption)
    .addHelpText("after", examples("clients logout web"))
    .action(async (id: string, options: ConfirmOptions) => {
      await confirmOnTerminal(
        `This ends all logins of the client ${printable(id)} on ${await session.serverUrl()} for good. Its users sign in again.`,
        options,
      );
      const body = await forExactClient(session, id, () =>
        session.request({
          method: "PATCH",
          path: ["clients", id],
          // The server's own time, because the clock of this machine may be behind.
          body: { tokens_not_before: "now" },
          schema: endedClient,
        }),
      );
      session.print(body, endedMessage);
    });

  clients
    .command("delete <client_id>")
    .description(
      "delete a client; asks first. For 30 days it can be restored, with its logins",
    )
    .option(...yesOption)
    .addHelpText("after", examples("clients delete web"))
    .action(async (typed: string, options: ConfirmOptions) => {
      const { id, etag } = options.yes
        ? { id: typed, etag: undefined }
        : await confirmDeletion(session, typed, options);
      await forExactClient(session, id, () =>
        session.request({
          method: "DELETE",
          path: ["clients", id],
          ifMatch: etag,
          schema: z.unknown(),
        }),
      );
      session.print(
        { deleted: id },
        () => `Deleted the client ${printable(id)}.`,
      );
    });

  clients
    .command("restore <client_id>")
    .description(
      "restore a client that was deleted in the last 30 days, with its secrets and logins",
    )
    .addHelpText(
      "after",
      examples("clients list --deleted", "clients restore web"),
    )
    .action(async (typed: string) => {
      const restore = (id: string) =>
        session.request({
          method: "POST",
          path: ["clients", id, "restore"],
          schema: client,
        });
      const body = await forClient(session, typed, restore, { deleted: true });
      session.print(
        body,
        ({ client_id }) =>
          `Restored the client ${printable(client_id)}, with its secrets and logins. Other locations learn of it within about two minutes.`,
      );
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
      const body = await forExactClient(session, id, () =>
        session.request({
          method: "POST",
          path: ["clients", id, "secrets"],
          body: { ...(old_secret_ttl !== undefined && { old_secret_ttl }) },
          schema: clientWithSecret,
        }),
      ).catch((error: unknown) => {
        throw withNextStep(session, id, error);
      });
      session.print(body, withSecretNotice);
    });
}

/** Adds the next step to the error that a client has a key, or is public, and cannot have a secret. */
function withNextStep(session: Session, id: string, error: unknown): unknown {
  const isOfMethod =
    error instanceof ApiError && /cannot have a secret/.test(error.message);
  if (!isOfMethod) return error;
  const command = session.commandLine(
    `clients update ${quoteArgument(id)} --unset token_endpoint_auth_method`,
  );
  return new ApiError(
    `${error.message} If it is to have one again: ${command}. Then repeat this command.`,
    error.body,
    error.status,
  );
}

function disableCommands(clients: Command, session: Session): void {
  const set = (disabled: boolean) => (id: string) =>
    session.request({
      method: "PATCH",
      path: ["clients", id],
      body: { disabled },
      schema: client,
    });

  clients
    .command("disable <client_id>")
    .description(
      "stop a client until it is enabled; its secrets and logins are kept",
    )
    .addHelpText("after", examples("clients disable web"))
    .action(async (id: string) => {
      session.print(
        await forExactClient(session, id, set(true)),
        ({ client_id }) =>
          `Disabled the client ${printable(client_id)}. Other locations learn of it within about two minutes. Access tokens that were issued already expire by themselves; only introspection refuses them. To undo it: npm run baton -- clients enable ${printable(client_id)}`,
      );
    });

  clients
    .command("enable <client_id>")
    .description("let a disabled client go on, with its secrets and logins")
    .addHelpText("after", examples("clients enable web"))
    .action(async (typed: string) => {
      session.print(
        await forClient(session, typed, set(false)),
        ({ client_id }) =>
          `Enabled the client ${printable(client_id)}. Its secrets and logins work again, at other locations within about two minutes.`,
      );
    });
}

/** Finds the client to delete, says what will be lost, and asks. The answer is about the client as it was read. */
async function confirmDeletion(
  session: Session,
  typed: string,
  options: ConfirmOptions,
): Promise<{ id: string; etag: string | undefined }> {
  const { id, body, etag } = await forClient(session, typed, async (id) => ({
    id,
    ...(await readUnlessMalformed(session, id)),
  }));
  const name =
    body?.client_name === undefined ? "" : ` (${printable(body.client_name)})`;
  const restore = body
    ? `For 30 days it can be restored, with its secrets and logins: npm run baton -- clients restore ${printable(id)}`
    : "Its record cannot be read, so it cannot be restored.";
  await confirm(
    `This deletes the client ${printable(id)}${name} on ${await session.serverUrl()}. Its apps get no more tokens, and its users are logged out. No other client can have this id until its last login would have ended.\n${restore}`,
    options,
  );
  return { id, etag };
}

/** Reads a client. A record that the server cannot read can be deleted, so it is no error here. */
async function readUnlessMalformed(session: Session, id: string) {
  try {
    return await session.requestTagged({
      method: "GET",
      path: ["clients", id],
      schema: client,
    });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 500) throw error;
    return { body: undefined, etag: undefined };
  }
}

function endedMessage({
  client_id,
  tokens_not_before,
}: z.output<typeof endedClient>): string {
  return `Ended all logins of the client ${printable(client_id)} up to ${timeText(tokens_not_before)}. Other locations learn of it within about two minutes. Access tokens that were issued already expire by themselves; only introspection refuses them.`;
}

/** Formats a client that may have a new secret. */
export function withSecretNotice(
  shown: z.output<typeof clientWithSecret>,
): string {
  const notice =
    shown.client_secret === undefined
      ? ""
      : "\n\nStore the client_secret now. It cannot be shown again, because the server keeps only a hash of it.";
  return fields(shown) + notice;
}
