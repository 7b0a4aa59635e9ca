import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness } from "wrangler";

/** Tests what the Worker does before its first request: while its modules are evaluated in the local runtime. */

const harness = createTestHarness({
  workers: [{ configPath: join(import.meta.dirname, "wrangler.toml") }],
});
let made: { atStart: string[]; byRequest: string[] };

beforeAll(async () => {
  const { url } = await harness.listen();
  made = (await (await fetch(url)).json()) as typeof made;
});

afterAll(() => harness.close());

describe("the evaluation of the Worker's modules", () => {
  it("makes no error, no formatter and no code, because each costs every start milliseconds", () => {
    expect(made.atStart).toEqual([]);
  });

  it("is really watched", () => {
    expect(made.byRequest).toEqual(["Error: own", "NumberFormat: en"]);
  });
});
