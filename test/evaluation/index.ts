import { made } from "./watch.ts";

/** Baton, which answers what its modules have made while they were evaluated. */

export * from "../../src/index.ts";

const atStart = [...made];

/** An error of a library or of ours, to show that the watch sees it. */
class OwnError extends Error {}

function madeByRequest(): string[] {
  const before = made.length;
  void [new OwnError("own"), new Intl.NumberFormat("en")];
  return made.slice(before);
}

export default {
  fetch: () => Response.json({ atStart, byRequest: madeByRequest() }),
};
