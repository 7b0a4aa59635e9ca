import { join } from "node:path";
import { expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { MAX_FORGED, PERIOD_SECONDS } from "../../src/league/forgeries.ts";

/** The rate limit on forged tokens of the old server stands in wrangler.toml too, which can't import it. */

it("the rate limit LEAGUE_FORGERIES of wrangler.toml is the one of the code", () => {
  const config = join(import.meta.dirname, "../../wrangler.toml");
  const limits: { name: string; simple?: object }[] = readConfig({
    config,
  }).ratelimits;
  const [forgeries] = limits.filter(({ name }) => name === "LEAGUE_FORGERIES");
  expect(forgeries?.simple).toEqual({
    limit: MAX_FORGED,
    period: PERIOD_SECONDS,
  });
});
