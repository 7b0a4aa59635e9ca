import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventCatalogue } from "../../src/oauth/events.ts";

/** docs/log.md says of each event what it means, what it has, and when to be alarmed. */

const page = readFileSync(
  join(import.meta.dirname, "../../docs/log.md"),
  "utf8",
);

/** The cells of the rows of a section's first table, without the edges. */
function tableBelow(heading: string): string[][] {
  const [, section = ""] = page.split(`\n${heading}\n`);
  const [table = ""] = /(?:^\|.*\n)+/m.exec(section) ?? [];
  const [, , ...rows] = table.trimEnd().split("\n");
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split(" | ")
      .map((cell) => cell.trim()),
  );
}

describe("the table of events", () => {
  it("is the catalogue", () => {
    const catalogue = Object.entries(eventCatalogue).map(
      ([name, { meaning, fields }]) => {
        const names = Object.keys(fields).map((field) => `\`${field}\``);
        return [`\`${name}\``, meaning, names.join(", ")];
      },
    );
    expect(tableBelow("## Events")).toEqual(catalogue);
  });
});

describe("the table of alerts", () => {
  it("has a threshold for each event, but for the one that counts a move", () => {
    const rows = tableBelow("### What to alert on");
    const named = rows.flatMap(([events = "", threshold, action]) => {
      expect(threshold).not.toBe("");
      expect(action).not.toBe("");
      return [...events.matchAll(/`(\w+\.\w+)`/g)].map(([, name = ""]) => name);
    });
    expect([...named, "league_token.exchanged"].toSorted()).toEqual(
      Object.keys(eventCatalogue).toSorted(),
    );
  });
});
