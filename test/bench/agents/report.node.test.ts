import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { describe, expect, it } from "vitest";
import { schemes } from "../report/plot.ts";
import type { HolderOutcome, Outcome } from "./play.ts";
import { plot } from "./plot.ts";
import { report } from "./report.ts";
import { judgeTheft, type Results } from "./results.ts";
import { askedIn, honestTraces, theftTraces, traces } from "./traces/index.ts";

function holder(alive: boolean, answered: number): HolderOutcome {
  return { alive, answered, refused: 0 };
}

/** Results of one server, on which every holder is alive, except in the traces that are given. */
function resultsWith(
  outcomesOf: Record<string, Outcome[]>,
  repeats = 2,
): Results {
  const outcomes = Object.fromEntries(
    traces.map((trace) => [
      trace.title,
      Array.from({ length: repeats }, () =>
        Object.fromEntries(
          askedIn(trace).map((name) => [name, holder(true, 1)]),
        ),
      ),
    ]),
  );
  return {
    date: "2026-11-27T12:00:00.000Z",
    commit: "0123456",
    repeats,
    servers: [
      {
        name: "a server",
        role: "peer",
        version: "1",
        runtime: "Node",
        about: "the default",
        outcomes: { ...outcomes, ...outcomesOf },
      },
    ],
  };
}

/** The cells of each row of the server, table by table. */
function rows(results: Results): string[][] {
  return report(results)
    .split("\n")
    .filter((line) => line.startsWith("| a server |"))
    .map((line) =>
      line
        .split("|")
        .slice(2, -1)
        .map((cell) => cell.trim()),
    );
}

describe("a theft", () => {
  it.each<[string, Outcome]>([
    ["ended", { owner: holder(false, 1), thief: holder(false, 1) }],
    ["refused", { owner: holder(true, 2), thief: holder(false, 0) }],
    ["unnoticed: both", { owner: holder(true, 1), thief: holder(true, 1) }],
    ["unnoticed: thief", { owner: holder(false, 1), thief: holder(true, 1) }],
    ["unnoticed: owner", { owner: holder(true, 1), thief: holder(false, 1) }],
    ["unnoticed: thief", { thief: holder(true, 1) }],
    ["refused", { thief: holder(false, 0) }],
    ["ended", { thief: holder(false, 1) }],
  ])(
    "is %s by whose token is alive, and by whether the thief got one",
    (verdict, outcome) => {
      expect(judgeTheft(outcome)).toBe(verdict);
    },
  );
});

describe("the tables", () => {
  it("count a login as lost if one of its holders must sign in again", () => {
    const one = { "tab one": holder(true, 1), "tab two": holder(false, 0) };
    const none = { client: holder(false, 0) };
    const [summary] = rows(
      resultsWith({
        "two tabs at once": [one, one],
        "answer lost, again at once": [none, none],
      }),
    );
    expect(summary?.slice(0, 2)).toEqual(["2", "1"]);
  });

  it("count thefts, and whose token is alive at the end", () => {
    const ended = { owner: holder(false, 1), thief: holder(false, 0) };
    const refused = { owner: holder(true, 1), thief: holder(false, 0) };
    const [summary] = rows(
      resultsWith({
        "a used token": [ended, ended],
        "two exchanges later": [refused, refused],
      }),
    );
    const all = theftTraces.length;
    // In the last trace the owner is not asked.
    expect(summary?.slice(2)).toEqual([
      String(all - 2),
      String(all - 2),
      String(all - 2),
      String(all - 2),
    ]);
  });

  it("show a range where the repeats differ", () => {
    const both = { "tab one": holder(true, 1), "tab two": holder(true, 1) };
    const one = { "tab one": holder(true, 1), "tab two": holder(false, 0) };
    const refused = { owner: holder(true, 1), thief: holder(false, 0) };
    const thief = { owner: holder(false, 1), thief: holder(true, 1) };
    const [summary, honest, thefts] = rows(
      resultsWith({
        "two tabs at once": [both, one],
        "newest token, thief first": [refused, thief],
      }),
    );
    expect(summary?.[0]).toBe("0–1");
    expect(honest?.[0]).toBe("1–2/2");
    expect(thefts?.[0]).toBe("refused or thief");
  });

  it("name every trace, with the threads that it is from", () => {
    const markdown = report(resultsWith({}));
    for (const { title, about, sources } of [...honestTraces, ...theftTraces]) {
      expect(markdown).toContain(`| ${title} | ${about} |`);
      expect(sources.length).toBeGreaterThan(0);
      for (const source of sources) expect(markdown).toContain(`(${source})`);
    }
  });
});

describe.each(Object.entries(schemes))(
  "the picture for a %s page",
  (_, scheme) => {
    it("has a field for each trace, and both sums", async () => {
      const svg = await plot(resultsWith({}), scheme);
      for (const { title } of traces)
        for (const line of title.split(", ")) expect(svg).toContain(line);
      expect(svg).toContain(`>of ${honestTraces.length}<`);
      expect(svg).toContain(`>of ${theftTraces.length}<`);
      expect(svg).toContain(`fill="${scheme.background}"`);
    });

    it("has both headings at one height, and the words of the tables", async () => {
      const refused = { owner: holder(true, 1), thief: holder(false, 0) };
      const svg = await plot(
        resultsWith({ "a used token": [refused, refused] }),
        scheme,
      );
      const heights = [...svg.matchAll(/translate\(0,(-?\d+)\)[^>]*>With/g)];
      expect(heights).toHaveLength(2);
      expect(heights[0]?.[1]).toBe(heights[1]?.[1]);
      expect(svg).toContain(">refused<");
    });
  },
);

it("the page has the tables of results.json, and nothing else between its marks", async () => {
  const read = (file: string) =>
    readFileSync(join(import.meta.dirname, file), "utf8");
  const results = JSON.parse(read("results/results.json")) as Results;
  const page = read("README.md");
  const [, tables] = page.split("<!-- agents -->");
  expect(tables?.split("<!-- /agents -->")[0]?.trim()).toBe(
    (await format(report(results), { parser: "markdown" })).trim(),
  );
});
