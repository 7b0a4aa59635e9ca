import { styleText } from "node:util";
import Table from "cli-table3";
import { keyText } from "./key-text.ts";

/** Columns are two spaces apart and have no borders, so that `grep` and `awk` can read them. */
export const plainStyle = {
  chars: Object.fromEntries(
    [
      "top",
      "top-mid",
      "top-left",
      "top-right",
      "bottom",
      "bottom-mid",
      "bottom-left",
      "bottom-right",
      "left",
      "left-mid",
      "mid",
      "mid-mid",
      "right",
      "right-mid",
    ].map((name) => [name, ""]),
  ),
  style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
};

/**
 * Makes text from outside safe to print. Escapes control characters, because they can control the
 * terminal, and format characters and line separators, because they can reorder or hide text.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, toEscapes);
}

/** JSON for scripts. Escapes the same characters as `printable`; a JSON parser reads the escapes back. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => (character === "\n" ? character : toEscapes(character)),
  );
}

/** The JSON escapes (\uXXXX) of a character. */
function toEscapes(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) =>
      `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
  ).join("");
}

let quiet = false;

/** Leaves out what is neither a result nor an error: warnings, progress, and messages of success. */
export function beQuiet(): void {
  quiet = true;
}

export function isQuiet(): boolean {
  return quiet;
}

/** Adds a colour on a terminal. NO_COLOR, FORCE_COLOR and NODE_DISABLE_COLORS decide before the terminal does. */
export function styled(
  format: "bold" | "green" | "red" | "yellow",
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return styleText(format, text, { stream });
}

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a warning to standard error, so that it is not part of the result. */
export function warn(warning: string): void {
  if (quiet) return;
  const label = styled("yellow", "Warning:", process.stderr);
  process.stderr.write(`${label} ${printable(warning)}\n`);
}

export function table(head: string[], rows: string[][]): string {
  const output = new Table({
    ...plainStyle,
    chars: { ...plainStyle.chars, middle: "  " },
    head: head.map((name) => styled("bold", name.toUpperCase())),
  });
  output.push(...rows.map((row) => row.map(printable)));
  return trimLines(output.toString());
}

/** One record, with one field per line. */
export function fields(record: Record<string, unknown>): string {
  const output = new Table({
    ...plainStyle,
    chars: { ...plainStyle.chars, middle: "  " },
  });
  for (const [name, value] of Object.entries(record)) {
    const lines = formatValue(name, value).map(printable);
    output.push([printable(name), lines.join("\n")]);
  }
  return trimLines(output.toString());
}

/** The lines of a value: one line for each item of a list. */
function formatValue(name: string, value: unknown): string[] {
  if (Array.isArray(value))
    return value.flatMap((item) => formatValue(name, item));
  if (typeof value === "object" && value !== null) {
    // The whole keys are in the output with --json.
    if (name === "jwks" && "keys" in value && Array.isArray(value.keys))
      return value.keys.map((key) => keyText({ ...key }));
    const parts = Object.entries(value).map(
      ([part, inner]) => `${part} ${formatValue(part, inner).join(", ")}`,
    );
    return [parts.join(", ")];
  }
  // A client that its metadata document has registered: its URL is as old as it says.
  if (name === "client_id_issued_at" && value === 0) return ["by its document"];
  return [isTime(name, value) ? timeText(value) : String(value)];
}

/**
 * In the admin API, a number in a field whose name ends with `_at` or `_not_before` is a time in seconds since
 * 1970.
 */
function isTime(name: string, value: unknown): value is number {
  return /_(at|not_before)$/.test(name) && typeof value === "number";
}

/** Formats a time of the admin API (seconds since 1970) as ISO 8601 in UTC. */
export function timeText(seconds: number): string {
  // RFC 7591 section 3.2.1: 0 means that the client secret does not expire.
  if (seconds === 0) return "never";
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime())
    ? String(seconds)
    : date.toISOString().replace(".000Z", "Z");
}

function trimLines(text: string): string {
  return text.replace(/ +$/gm, "");
}
