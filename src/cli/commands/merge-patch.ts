import { UsageError } from "../failure.ts";

/**
 * A merge patch of fields to set and the names of fields to remove.
 *
 * @throws UsageError if a field is both set and removed
 */
export function mergePatch(
  set: Record<string, unknown>,
  unset: readonly string[],
): Record<string, unknown> {
  const both = unset.find((field) => Object.hasOwn(set, field));
  if (both !== undefined)
    throw new UsageError(
      `${both} cannot be both set and removed. Leave out one of the two options.`,
    );
  return {
    ...set,
    ...Object.fromEntries(unset.map((field) => [field, null])),
  };
}

/** @throws UsageError if a patch changes nothing */
export function refuseEmpty(patch: Record<string, unknown>): void {
  if (Object.keys(patch).length === 0) {
    throw new UsageError(
      "There is nothing to change. Add an option that sets a field, or --unset with the name of a field. --help lists the options.",
    );
  }
}
