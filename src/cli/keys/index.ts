import type { Command } from "commander";
import type { Session } from "../commands/session.ts";
import { convertCommand } from "./convert.ts";
import { generateCommand } from "./generate.ts";
import { leakedCommand } from "./leaked.ts";
import { retireCommand } from "./retire.ts";
import { rotateCommand } from "./rotate.ts";
import { showCommand } from "./show.ts";

/** `baton keys …`: the keys of the server. */
export function keyCommands(program: Command, session: Session): void {
  const keys = program
    .command("keys")
    .description(
      "make, rotate and retire the server's keys, without logging anybody out",
    );
  showCommand(keys, session);
  rotateCommand(keys, session);
  retireCommand(keys, session);
  leakedCommand(keys, session);
  generateCommand(keys);
  convertCommand(keys);
}
