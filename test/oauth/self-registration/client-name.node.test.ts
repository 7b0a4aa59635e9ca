import { expect, it, vi } from "vitest";
import { plainClientName } from "../../../src/oauth/self-registration/client-name.ts";

/** Tests the names that clients give themselves: each becomes one line of visible characters. */

it.each([
  ["Claude", "Claude"],
  ["  Visual Studio\tCode \n", "Visual Studio Code"],
  ["Ein Gerät", "Ein Gerät"],
  ["Gera\u0308t", "Gerät"],
  ["عميل 助手 🦊", "عميل 助手 🦊"],
  ["<b>&amp;</b>", "<b>&amp;</b>"],
  // The bidi controls would turn the order of the words behind the name.
  ["Notes\u202Emoc.live\u202C", "Notesmoc.live"],
  ["\u2066Notes\u2069\u200F\u061C", "Notes"],
  ["N\u200Bo\u00ADt\u2060e\uFEFFs\u3164", "Notes"],
  ["Notes\u0000\u001B[2J\u0085\u2028is safe", "Notes [2J is safe"],
  ["Q\u0300\u0301\u0302\u0303\u0304\u0305!", "Q\u0300\u0301\u0302\u0303!"],
  ["Q\u0344\u0344\u0344\u0344!", "Q\u0308\u0301\u0308\u0301!"],
  ["\uD800Notes\uDC00", "Notes"],
  ["x".repeat(255), "x".repeat(100)],
  ["🦊".repeat(120), "🦊".repeat(100)],
])("%j becomes %j", (name, plain) => {
  expect(plainClientName(name)).toBe(plain);
  expect(plainClientName(plain)).toBe(plain);
});

it.each(["", " \t\n", "\u200B\u202E", "\u0300\u0301", "\u2800\u3164"])(
  "nothing is left of %j",
  (name) => {
    expect(plainClientName(name)).toBeUndefined();
  },
);

it("no long run of marks is normalized, because that takes 0.1 seconds of CPU time for 16 KiB", () => {
  const normalize = vi.spyOn(String.prototype, "normalize");
  try {
    plainClientName("a" + "\u0315\u0300\u0316".repeat(2_600));
    const names = normalize.mock.contexts.map(String);
    expect(names).toHaveLength(1);
    for (const name of names) expect(name).not.toMatch(/\p{M}{5}/u);
  } finally {
    normalize.mockRestore();
  }
});
