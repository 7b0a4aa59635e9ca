import { registerHooks } from "node:module";

/**
 * Loaded into setup before it starts. Leads every https request to the test's server, with its host in a header, and
 * the package wrangler to config-reader.ts.
 */

registerHooks({
  resolve: (specifier, context, next) =>
    next(
      specifier === "wrangler"
        ? new URL("config-reader.ts", import.meta.url).href
        : specifier,
      context,
    ),
});

/** The address of the test's server. */
export const target = process.env["LEAD_HERE"];
const fetchThere = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (target === undefined || url.protocol !== "https:")
    return fetchThere(input, init);
  const headers = new Headers(init?.headers);
  headers.set("X-Host", url.host);
  return fetchThere(new URL(url.pathname + url.search, target), {
    ...init,
    headers,
  });
};
