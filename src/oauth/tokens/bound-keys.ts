import type { Confirmation } from "../confirmation.ts";
import type { FamilyState } from "../repositories.ts";
import type { TokenContent } from "../token-kind.ts";

/**
 * Returns the keys that a token is bound to. Undefined: none, or nobody knows them, because the family of the refresh token
 * has ended.
 */
export function keysOf(
  { kind, login, generation }: TokenContent,
  family: FamilyState | undefined,
): Confirmation | undefined {
  return kind === "refresh_token" && family && generation !== undefined
    ? refreshTokenKeys(family, generation)
    : login?.cnf;
}

/** Returns the keys that a refresh token is bound to. A family that was bound later has bearer tokens from before. */
export function refreshTokenKeys(
  { login, bound_since = 1 }: FamilyState,
  generation: number,
): Confirmation | undefined {
  return generation >= bound_since ? login.cnf : undefined;
}
