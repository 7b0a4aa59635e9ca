import type { TopLevelSpec } from "vega-lite";

/** What pictures with a row for each server have in common. */

export type Panel = Extract<
  TopLevelSpec,
  { hconcat: unknown }
>["hconcat"][number];

/** One row per server, in their order. Panels side by side have the same rows, also where a mark is missing. */
export function rowsOf(servers: readonly { name: string }[]) {
  return {
    field: "name",
    type: "nominal",
    sort: null,
    axis: null,
    scale: { domain: servers.map(({ name }) => name) },
  } as const;
}

/**
 * Makes the panel with the names of the servers.
 *
 * @param width as wide as the longest name, in pixels
 * @param height of each row
 */
export function names(
  servers: readonly { name: string }[],
  width: number,
  height: { step: number },
): Panel {
  return {
    width,
    height,
    data: { values: servers.map(({ name }) => ({ name })) },
    mark: { type: "text", align: "left", x: 0, fontSize: 12 },
    encoding: {
      y: rowsOf(servers),
      text: { field: "name", type: "nominal" },
    },
  };
}
