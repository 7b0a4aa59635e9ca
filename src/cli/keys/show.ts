import type { Command } from "commander";
import { isLoopback } from "../commands/connection.ts";
import type { Session } from "../commands/session.ts";
import { examples } from "../program.ts";
import { keyNotes, keyTable } from "./key-table.ts";
import { readKeys } from "./key-target.ts";

/** `baton keys show`: the keys of the server, and what each does now. */
export function showCommand(keys: Command, session: Session): void {
  keys
    .command("show")
    .description(
      "list the server's keys: what each does now, since when, and until when it is needed",
    )
    .option(
      "--local",
      "the server of `npm run dev`; keys that can go are named with the command for it",
    )
    .addHelpText("after", examples("keys show", "keys show --local"))
    .action(async () => {
      const listed = await readKeys(session);
      const isHere = isLoopback(new URL(await session.serverUrl()).hostname);
      const commandLine = (command: string) =>
        session.commandLine(`keys ${command}${isHere ? " --local" : ""}`);
      session.print({ keys: listed }, () =>
        [
          keyTable(listed),
          "",
          ...keyNotes(listed, Date.now() / 1000, commandLine),
        ].join("\n"),
      );
    });
}
