import type { Client, ScopeCatalogue } from "./entities.ts";
import type { Settings } from "./settings.ts";

/**
 * `offline_access` (OpenID Connect Core section 11): the scope that asks for a refresh token. With
 * OFFLINE_ACCESS_REQUIRED, every client that may refresh may ask for it, without a word in its record or in the
 * catalogue. Section 11 wants `prompt=consent` beside it; that is not enforced, because most agents do not send it and
 * every sign-in page decides about consent itself.
 */
export const OFFLINE_ACCESS = "offline_access";

/** The words for the user, where the catalogue has none of its own. */
const description = "Stay signed in when you are away";

/** Returns what `offline_access` adds to the scopes of a client's record. Empty: the client may not ask for it. */
export function openScope(
  { grant_types }: Client,
  catalogue: ScopeCatalogue,
): string {
  const isOpen = catalogue[OFFLINE_ACCESS]?.is_open === true;
  return isOpen && grant_types.includes("refresh_token") ? OFFLINE_ACCESS : "";
}

/**
 * Tells whether a login that begins now has a refresh token. A login that has one keeps it when the rule is turned on
 * later, so that nobody is logged out by a setting.
 *
 * @param scope the scopes of the login
 */
export function hasRefreshToken(
  { offline_access_required }: Settings,
  { grant_types, refresh_without_offline_access }: Client,
  scope: readonly string[],
): boolean {
  const isAsked =
    !offline_access_required ||
    refresh_without_offline_access === true ||
    scope.includes(OFFLINE_ACCESS);
  return isAsked && grant_types.includes("refresh_token");
}

/** Returns the catalogue as clients see it: with `offline_access`, where that is required. */
export function seenByClients(
  { offline_access_required }: Settings,
  catalogue: ScopeCatalogue,
): ScopeCatalogue {
  if (!offline_access_required) return catalogue;
  const scope = { description, ...catalogue[OFFLINE_ACCESS], is_open: true };
  return { ...catalogue, [OFFLINE_ACCESS]: scope };
}
