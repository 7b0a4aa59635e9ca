import { join } from "node:path";
import { expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { MAX_FORGED, PERIOD_SECONDS } from "../../src/league/forgeries.ts";

/** The rate limit on forged league tokens stands in wrangler.toml too, because that file can't import it. */

it("the rate limit LEAGUE_FORGERIES in wrangler.toml is the one in src/league/forgeries.ts", () => {
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
