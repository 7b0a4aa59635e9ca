import type { ScopeCatalogue } from "../entities.ts";
import type { Claims } from "../login-claims.ts";

/** The scope that makes an authorization request one of OpenID Connect (Core section 3.1.2.1). */
export const OPENID = "openid";

/** The claims that each standard scope releases (OpenID Connect Core section 5.4). */
export const standardScopes = {
  profile: [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
  ],
  email: ["email", "email_verified"],
  phone: ["phone_number", "phone_number_verified"],
  address: ["address"],
} as const satisfies Record<string, readonly string[]>;

/** Tells whether OpenID Connect is on: the catalogue has the scope `openid`. */
export function isOpenIdOn(catalogue: ScopeCatalogue): boolean {
  return Object.hasOwn(catalogue, OPENID);
}

/**
 * Returns the names of the claims about the person that a scope releases: those that the catalogue names, else the
 * standard ones.
 */
export function claimsOfScope(
  scope: string,
  catalogue: ScopeCatalogue,
): readonly string[] {
  const entry = Object.hasOwn(catalogue, scope) ? catalogue[scope] : undefined;
  if (entry?.claims) return entry.claims;
  return Object.hasOwn(standardScopes, scope)
    ? standardScopes[scope as keyof typeof standardScopes]
    : [];
}

/**
 * Returns those of the claims about the person that the scopes of a token release. A claim in another language
 * (`name#ja`, OpenID Connect Core section 5.2) is released like the claim without a language.
 */
export function releasedClaims(
  claims: Claims,
  scopes: readonly string[],
  catalogue: ScopeCatalogue,
): Claims {
  const released = new Set(
    scopes.flatMap((scope) => claimsOfScope(scope, catalogue)),
  );
  return Object.fromEntries(
    Object.entries(claims).filter(
      ([name]) => released.has(name) || released.has(name.split("#", 1)[0]!),
    ),
  );
}
