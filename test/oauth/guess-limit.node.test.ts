import { join } from "node:path";
import { expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import {
  MAX_PER_NETWORK,
  MAX_PER_SITE,
  PERIOD_SECONDS,
} from "../../src/oauth/guess-limit.ts";

/** The limits on guesses are in wrangler.toml too, which can't import them. */

const config = join(import.meta.dirname, "../../wrangler.toml");

it("the rate limits of wrangler.toml are those of the code", () => {
  const limits: { name: string; namespace_id: string; simple?: object }[] =
    readConfig({ config }).ratelimits;
  const period = PERIOD_SECONDS;
  expect(
    Object.fromEntries(limits.map(({ name, simple }) => [name, simple])),
  ).toEqual({
    GUESSES_PER_NETWORK: { limit: MAX_PER_NETWORK, period },
    GUESSES_PER_SITE: { limit: MAX_PER_SITE, period },
    // No number of the code, because only the platform counts it.
    REGISTRATIONS_PER_NETWORK: { limit: 30, period },
  });
  // Limits with one namespace would share one count.
  const namespaces = limits.map(({ namespace_id }) => namespace_id);
  expect(new Set(namespaces).size).toBe(namespaces.length);
});
