import Table from "cli-table3";

/** Columns two spaces apart and no lines: it reads well, and `grep` and `awk` can take it. */
const bare = {
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
 * Text from elsewhere, safe to show: what could steer a terminal (control characters) or reorder and
 * hide what is read (format characters, line separators) is spelled out.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escaped);
}

/** JSON for scripts, as safe to show as `printable`: an escape means the same to a parser. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => (character === "\n" ? character : escaped(character)),
  );
}

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) =>
      `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
  ).join("");
}

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function table(head: string[], rows: string[][]): string {
  const drawn = new Table({
    ...bare,
    chars: { ...bare.chars, middle: "  " },
    head: head.map((name) => name.toUpperCase()),
  });
  drawn.push(...rows.map((row) => row.map(printable)));
  return trimmed(drawn.toString());
}

/** One thing, a field a line. */
export function fields(record: Record<string, unknown>): string {
  const drawn = new Table({ ...bare, chars: { ...bare.chars, middle: "  " } });
  for (const [name, value] of Object.entries(record)) {
    const lines = shown(name, value).map(printable);
    drawn.push([printable(name), lines.join("\n")]);
  }
  return trimmed(drawn.toString());
}

/** A value in words, a line for each item of a list. */
function shown(name: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => shown(name, item));
  if (typeof value === "object" && value !== null) {
    const parts = Object.entries(value).map(
      ([part, inner]) => `${part} ${shown(part, inner).join(", ")}`,
    );
    return [parts.join(", ")];
  }
  return [isTime(name, value) ? timeText(value) : String(value)];
}

/** Times in the API are seconds since 1970, in fields that are called so. */
function isTime(name: string, value: unknown): value is number {
  return name.endsWith("_at") && typeof value === "number";
}

/** A time of the API (seconds since 1970) in ISO 8601, UTC. */
export function timeText(seconds: number): string {
  // RFC 7591 section 3.2.1: a client secret that expires at 0 does not expire.
  if (seconds === 0) return "never";
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime())
    ? String(seconds)
    : date.toISOString().replace(".000Z", "Z");
}

function trimmed(text: string): string {
  return text.replace(/ +$/gm, "");
}
