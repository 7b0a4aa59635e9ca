import type { Command } from "commander";
import { Failure, UsageError } from "../failure.ts";
import { fields } from "../output.ts";
import { examples } from "../program.ts";
import { readSecret } from "../secret-input.ts";
import { inspect } from "../tokens/inspect.ts";
import type { Inspection } from "../tokens/inspection.ts";
import { timeFrom } from "../tokens/times.ts";
import type { Session } from "./session.ts";

/** The times in a token (RFC 7519 section 4.1, and the expiry of a refresh token). */
const times = new Set(["exp", "iat", "nbf", "auth_time", "expires_at"]);

/** `baton token …`: what a token is, without a server. */
export function tokenCommands(program: Command, session: Session): void {
  program
    .command("token")
    .description("look at a token, without a server")
    .command("inspect")
    .description(
      "tell what a token is and what it says; reads it from standard input, or asks for it",
    )
    .argument("[token]")
    .addHelpText(
      "after",
      [
        "",
        "The token is not an argument, because other users of the machine can read a command line, and a shell keeps it.",
        "Nothing is sent anywhere, and no signature is checked: ask the server with POST /introspect.",
        examples("token inspect", "--json token inspect < token.txt"),
      ].join("\n"),
    )
    .action(async (argument?: string) => {
      if (argument !== undefined)
        throw new UsageError(
          "The token is not taken from the command line, because other users of the machine can read it there. Run the command without it and paste the token when asked, or give it on standard input. The one that you have typed may be in the shell's history now.",
        );
      const text = await readSecret("Token (not shown): ");
      if (text === "") throw new Failure("There was no token in the input.");
      const now = Math.floor(Date.now() / 1000);
      const inspection = inspect(text, now);
      if (!inspection)
        throw new Failure(
          `The input is no token that Baton makes or takes. It has ${text.length} characters. If it was cut off, or has white space inside, copy it again.`,
        );
      session.print(inspection, () => inspectionText(inspection, now));
    });
}

function inspectionText(
  { about, expired, header, claims, ...rest }: Inspection,
  now: number,
): string {
  const record = {
    ...rest,
    ...flat("header", header),
    ...flat("", claims),
    ...(expired === undefined ? {} : { expired: expired ? "yes" : "no" }),
    verified: "no, only a server can do that",
  };
  const readable = Object.entries(record).map(([name, value]) => [
    name,
    times.has(name) && typeof value === "number" ? timeFrom(value, now) : value,
  ]);
  return `${about}\n\n${fields(Object.fromEntries(readable))}`;
}

/** The members of an object, each with the object's name before it. */
function flat(name: string, object: unknown): Record<string, unknown> {
  const prefix = name === "" ? "" : `${name}.`;
  return Object.fromEntries(
    Object.entries(object ?? {}).map(([member, value]) => [
      prefix + member,
      value,
    ]),
  );
}
