import { describe, expect, it } from "vitest";
import { coldTables } from "../report/cold.ts";
import type { ColdResults, ColdServer } from "./results.ts";

const plan = { starts: 3, rounds: 3, families: 20 };

/** A server whose first answers take these times, in milliseconds. Its CPU times are half of them. */
function server(
  name: string,
  times: number[],
  evicted?: ColdServer["evicted"],
): ColdServer {
  const answers = times.map((answer_ms) => ({
    status: 400,
    open_ms: 5,
    answer_ms,
    cpu_ms: answer_ms / 2,
    cpu_since_start_ms: answer_ms,
  }));
  return {
    name,
    role: "peer",
    first: { "a refused token": answers, "a refresh": answers },
    ...(evicted && { evicted }),
  };
}

function woken(evicted_ms: number): ColdServer["evicted"] {
  const exchange = { p50_ms: evicted_ms, cpu_ms: evicted_ms };
  return [{ evicted: exchange, awake: { p50_ms: 1, cpu_ms: 1 } }];
}

const results: ColdResults = {
  date: "2026-11-26T12:00:00.000Z",
  commit: "0123456",
  load_average: 0.25,
  plan,
  servers: [
    server("Hono with one route", [10, 20, 10]),
    server("Hono with the bindings", [20, 40, 20]),
    server("the floor", [10, 20, 10], woken(4)),
    server("Baton", [40, 20, 30], woken(6)),
  ],
};

/** The cells of each row with that name, table by table. */
function rowsOf(name: string): string[][] {
  return coldTables(results)
    .split("\n")
    .filter((line) => line.startsWith(`| ${name} |`))
    .map((line) =>
      line
        .split("|")
        .slice(2, -1)
        .map((cell) => cell.trim()),
    );
}

describe("the tables of the cold path", () => {
  it("say which commit was measured, and how busy the machine was", () => {
    expect(coldTables(results)).toContain("at commit 0123456");
    expect(coldTables(results)).toContain("load average 0.25");
  });

  it("begin with the ratios to the Hono-only Worker and to the one with Baton's bindings", () => {
    const [first] = rowsOf("Baton");
    // The rounds' ratios are 4, 1, 3 and 2, 0.5, 1.5.
    const [time, cpu, timeOfBound, cpuOfBound] = first!;
    expect(time).toBe("3.00 (1.00–4.00)");
    expect(cpu).toBe(time);
    expect(timeOfBound).toBe("1.50 (0.50–2.00)");
    expect(cpuOfBound).toBe(timeOfBound);
  });

  it("give the yardstick a ratio of 1", () => {
    const [first] = rowsOf("Hono with one route");
    expect(first!.slice(0, 2)).toEqual(["1.00", "1.00"]);
  });

  it("compare the refresh of an evicted object with the floor's, and with the same object awake", () => {
    const evicted = rowsOf("Baton").at(-1)!;
    expect(evicted).toEqual(["1.50", "1.50", "6.00", "1.00", "6.00", "1.00"]);
  });

  it("leave out a server that has no object for a login", () => {
    expect(rowsOf("the floor")).toHaveLength(4);
    expect(rowsOf("Hono with one route")).toHaveLength(3);
  });
});
