import type { Command } from "commander";
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
    .addHelpText("after", examples("keys show"))
    .action(async () => {
      const listed = await readKeys(session);
      session.print({ keys: listed }, () =>
        [keyTable(listed), "", ...keyNotes(listed, Date.now() / 1000)].join(
          "\n",
        ),
      );
    });
}
