import { describe, expect, it } from "vitest";
import {
  commandsOf,
  knownSections,
  notTried,
  sectionsWithCommands,
} from "./page.ts";

describe("docs/incidents.md", () => {
  it("has no commands but those that the tests here type, and those that are named with a reason", () => {
    expect(sectionsWithCommands().toSorted()).toEqual(
      knownSections().toSorted(),
    );
  });

  it("says what was not tried", () => {
    for (const what of [
      "a failure at Cloudflare",
      "The log is full",
      "Two minutes",
    ])
      expect(notTried()).toContain(what);
  });

  it("refuses to play an incident whose commands have changed", () => {
    expect(commandsOf("A phone was stolen")).toHaveLength(3);
    expect(() => commandsOf("The log is full" as "A phone was stolen")).toThrow(
      "has 1 blocks",
    );
  });
});
