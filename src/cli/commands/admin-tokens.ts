import type { Command } from "commander";
import { z } from "zod";
import { ApiError } from "../failure.ts";
import { ListTable } from "../list-table.ts";
import { fields, printable, timeText } from "../output.ts";
import { examples } from "../program.ts";
import type { Session } from "./session.ts";

const adminToken = z.looseObject({
  name: z.string(),
  role: z.string(),
  id: z.string(),
  created_at: z.int(),
  created_by: z.string().optional(),
  expires_at: z.int().optional(),
});
const madeToken = adminToken.extend({ token: z.string() });
const list = z.looseObject({ tokens: z.array(adminToken) });

const columns = ["name", "role", "begins with", "created", "expires"];

function rowOf(token: z.output<typeof adminToken>): string[] {
  const { name, role, id, created_at, created_by, expires_at } = token;
  const [day = ""] = timeText(created_at).split("T");
  return [
    name,
    role,
    `baton_admin_${id}`,
    created_by === undefined ? day : `${day} by ${created_by}`,
    expires_at === undefined ? "never" : expiryText(expires_at),
  ];
}

/** `baton admin-tokens …`: the named admin tokens, beside the server's ADMIN_TOKEN. */
export function adminTokenCommands(program: Command, session: Session): void {
  const tokens = program
    .command("admin-tokens")
    .description("manage the admin tokens of people and programs");

  tokens
    .command("list")
    .description("list the admin tokens, expired ones too; never a token")
    .addHelpText("after", examples("admin-tokens list"))
    .action(async () => {
      const body = await session.request({
        method: "GET",
        path: ["tokens"],
        schema: list,
      });
      const { tokens } = body;
      if (session.isJson || tokens.length === 0)
        session.print(
          body,
          () =>
            "There are no admin tokens beside ADMIN_TOKEN. Create one with: npm run baton -- admin-tokens create alice --role operator",
        );
      else new ListTable(columns).write(tokens.map(rowOf));
    });

  tokens
    .command("create <name>")
    .description(
      "create an admin token; shows it this one time, because the server keeps only its hash",
    )
    .requiredOption(
      "--role <role>",
      "admin (everything), operator (gives nobody power), login (sign people in), read, or register (clients register themselves with it, and it can do nothing else)",
    )
    .option(
      "--expires-in <duration>",
      "life of the token, as an ISO 8601 duration such as P90D (default: it does not expire)",
    )
    .addHelpText(
      "after",
      examples(
        "admin-tokens create alice --role operator --expires-in P90D",
        "admin-tokens create sign-in-page --role login",
        "admin-tokens create agents --role register --expires-in P90D",
      ),
    )
    .action(
      async (
        name: string,
        { role, expiresIn }: { role: string; expiresIn?: string },
      ) => {
        const body = await session.request({
          method: "POST",
          path: ["tokens"],
          body: {
            name,
            role,
            ...(expiresIn !== undefined && { expires_in: expiresIn }),
          },
          schema: madeToken,
        });
        session.print(
          body,
          (made) =>
            `${fields(made)}\n\nKeep the token now: it cannot be shown again. Use it as BATON_ADMIN_TOKEN, or as \`Authorization: Bearer\`.`,
        );
      },
    );

  tokens
    .command("delete <name>")
    .description("end an admin token; everywhere within two minutes")
    .addHelpText("after", examples("admin-tokens delete alice"))
    .action(async (name: string) => {
      await session
        .request({
          method: "DELETE",
          path: ["tokens", name],
          schema: z.unknown(),
        })
        .catch((error: unknown) => {
          throw withName(error, name, session);
        });
      session.print(
        { deleted: name },
        () =>
          `Ended the admin token ${name}. Every location refuses it within two minutes.`,
      );
    });
}

/** Quotes the name in the error that there is no such token. Another 404 says that the admin API is off. */
function withName(error: unknown, name: string, session: Session): unknown {
  if (
    !(error instanceof ApiError) ||
    error.message !== "There is no such admin token."
  )
    return error;
  const list = session.commandLine("admin-tokens list");
  return new ApiError(
    `There is no admin token "${printable(name)}". To see which there are: ${list}`,
    error.body,
    error.status,
  );
}

function expiryText(expiresAt: number): string {
  const isOver = expiresAt * 1000 <= Date.now();
  return `${timeText(expiresAt)}${isOver ? " (expired)" : ""}`;
}
