import { describe, expect, it } from "vitest";
import { judgeExchange } from "../../../src/oauth/family/exchange.ts";
import {
  type FamilyRecord,
  isEnded,
  newRecord,
} from "../../../src/oauth/family/record.ts";
import { judgeAdoption } from "../../../src/oauth/family/redemption.ts";
import { familyBuilders } from "../../support/family.ts";

/** The adoption of an old server's token begins a family, and changes nothing that has happened to it since. */

const T0 = 1_800_000_000;
const { attempt, newFamily, redemption } = familyBuilders(T0);

function generationOf(record: FamilyRecord | undefined): number {
  if (!record || isEnded(record)) throw new Error("the family has ended");
  return record.generation;
}

describe("an adoption of a family that exists already", () => {
  it.each([
    ["was made by an administrator", newRecord(newFamily())],
    ["was made by a code", newRecord(newFamily(), redemption())],
  ])("never rolls its generation back, where it %s", (_, made) => {
    let record: FamilyRecord = made;
    const retry_window = "PT30S";
    const adopt = (attempt_id: string) => {
      const by = redemption({ attempt_id, code_id: "old" });
      const again = attempt({ attempt_id, retry_window });
      const verdict = judgeAdoption(record, newFamily(), by, again);
      record = verdict.record ?? record;
      return verdict.result;
    };
    expect(adopt("first")).toMatchObject({ generation: 2, retried: false });
    expect(generationOf(record)).toBe(2);
    // The same call again, and another one: the record still has the successor.
    for (const id of ["first", "second"]) {
      expect(adopt(id)).toMatchObject({ generation: 2, retried: true });
      expect(generationOf(record)).toBe(2);
    }
    const next = judgeExchange(record, attempt({ generation: 2 }));
    record = next.record ?? record;
    expect(generationOf(record)).toBe(3);
    expect(adopt("third")).toMatchObject({ reason: "refresh_token_reused" });
    expect(isEnded(record)).toBe(true);
  });
});
