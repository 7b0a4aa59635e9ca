import { describe, expect, it } from "vitest";
import { visitCodes, wrongCodeRules } from "../../support/small-world/codes.ts";
import {
  visitRecordings,
  wrongRecordingRules,
} from "../../support/small-world/recordings.ts";
import type { Setting } from "../../support/small-world/situation.ts";
import { type Visit, visitAll } from "../../support/small-world/visit.ts";
import { wrongRules } from "../../support/small-world/wrong-rules.ts";

/**
 * Every history of a small world with a holder and a thief (`test/support/small-world/`), judged by the family's real
 * rules. In each state: there are never two live successors, the holder of the key is never locked out, and after the
 * holder's next refresh the thief has no token that is good.
 */

const usual = {
  isBound: false,
  holder: ["holder's"],
  thief: ["none", "thief's"],
  hasWindow: false,
  hasCatchUp: true,
  generations: 4,
} as const;

const settings: Setting[] = [
  { ...usual, name: "a login that is bound from the beginning", isBound: true },
  {
    ...usual,
    name: "… whose client has a retry window",
    isBound: true,
    hasWindow: true,
  },
  {
    ...usual,
    name: "… with a thief who has recorded a proof",
    isBound: true,
    hasRecorded: true,
  },
  { ...usual, name: "… whose client may not be late", hasCatchUp: false },
  { ...usual, name: "a login that the holder or the thief binds later" },
  {
    ...usual,
    name: "… whose client has a retry window",
    hasWindow: true,
  },
  {
    ...usual,
    name: "… with a thief who has recorded a proof",
    hasRecorded: true,
  },
  {
    ...usual,
    name: "a login of which one process has a key and another has none",
    holder: ["none", "holder's"],
  },
  { ...usual, name: "a login of bearer tokens", holder: ["none"] },
  {
    ...usual,
    name: "… whose client has a retry window",
    holder: ["none"],
    hasWindow: true,
  },
  {
    ...usual,
    name: "a login of a client that authenticates by a key",
    holder: ["none"],
    thief: [],
  },
];

describe("no history breaks a promise", () => {
  it.each(settings)("$name", (setting) => {
    const { states, outcomes } = visitAll(setting);
    // A world in which little happens would show little.
    expect(states).toBeGreaterThan(200);
    expect(outcomes["exchanged"]).toBeGreaterThan(200);
    expect(outcomes["refresh_token_reused"]).toBeGreaterThan(100);
  });
});

describe("the search finds that", () => {
  it.each(Object.entries(wrongRules))("%s", (_, judge) => {
    const visits = (): Visit[] =>
      settings.map((setting) =>
        visitAll({ ...setting, generations: 3 }, judge),
      );
    expect(visits).toThrow(/broken: /);
  });
});

describe("a login of a client with private_key_jwt: recorded refreshes get nothing, and the holder goes on", () => {
  /** A login from its beginning, and one with more exchanges in a second than it remembers. */
  const worlds: [before: number, exchanges: number][] = [
    [0, 4],
    [7, 2],
  ];

  it.each(worlds)("after %i exchanges in a second", (before, exchanges) => {
    expect(visitRecordings(before, exchanges)).toBeGreaterThan(200);
  });

  it.each(Object.entries(wrongRecordingRules))(
    "the search finds that %s",
    (_, rules) => {
      const visits = () =>
        worlds.map(([before, exchanges]) =>
          visitRecordings(before, exchanges, rules),
        );
      expect(visits).toThrow(/broken: /);
    },
  );
});

describe("a code makes one login, and who sends it again ends that only late and without the same proof", () => {
  it("in every history", () => {
    expect(visitCodes()).toBeGreaterThan(1000);
  });

  it.each(Object.entries(wrongCodeRules))(
    "the search finds that %s",
    (_, judge) => {
      expect(() => visitCodes(judge)).toThrow(/broken: /);
    },
  );
});
