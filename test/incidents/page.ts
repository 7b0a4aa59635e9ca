import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "../support/markdown.ts";

/** docs/incidents.md, as its tests read it. */
const page = parse(
  readFileSync(join(import.meta.dirname, "../../docs/incidents.md"), "utf8"),
);

/** The incidents that a test plays, by their headings, with the number of their blocks of commands. */
const played = {
  "`PRIVATE_KEY` has leaked": 1,
  "`ENCRYPTION_KEY` has leaked": 3,
  "An admin token has leaked": 4,
  "A client's secret has leaked": 2,
  "A client is compromised": 2,
  "A phone was stolen": 3,
  "A token was stolen": 3,
  "Reuse alarms go up": 2,
  "The wrong client was deleted": 1,
  "KV or Durable Objects fail": 1,
};

/** The sections whose commands no test types, with the reason. */
const notPlayed = {
  "Before you type": "each test sets the environment itself",
  "The log is full": "a laptop has no limit of logs",
};

export type Incident = keyof typeof played;

/** The sections of the page that have commands. */
export function sectionsWithCommands(): string[] {
  return [...new Set(page.blocks.map(({ heading }) => heading))];
}

/** The sections that are played, and those that are named with a reason. */
export function knownSections(): string[] {
  return [...Object.keys(played), ...Object.keys(notPlayed)];
}

/** Returns the blocks of commands of an incident. @throws Error if the page has another number of them */
export function commandsOf(incident: Incident): string[] {
  const found = page.blocks
    .filter(({ heading }) => heading === incident)
    .map(({ text }) => text);
  if (found.length !== played[incident])
    throw new Error(
      `docs/incidents.md has ${found.length} blocks below "${incident}", and the tests play ${played[incident]}`,
    );
  return found;
}

/** Finds a command in the text of the page. @throws Error if it is not there */
export function commandInText(command: string): string {
  if (page.prose.includes(`\`${command}\``)) return command;
  throw new Error(`docs/incidents.md does not have the command "${command}"`);
}

/** The part of the page that says what was not tried. */
export function notTried(): string {
  return page.prose.split("Not tried,")[1] ?? "";
}
