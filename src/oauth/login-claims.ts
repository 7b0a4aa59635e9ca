import type { Seconds } from "./duration.ts";

/**
 * Claims by their names (RFC 7519 section 4). A value survives JSON. Its type is not exact, because the types of RPC
 * have no end for one that contains itself.
 */
export type Claims = Record<string, unknown>;

/**
 * What the login says about the person and the sign-in. Baton keeps it in the family and checks nothing of it but
 * its form and size. The login or an administrator may change it while the family lives.
 */
export interface LoginClaims {
  /** The time of the sign-in (OpenID Connect Core section 2). */
  auth_time?: Seconds;
  /** The authentication context class, such as the level of assurance. */
  acr?: string;
  /** The authentication methods (RFC 8176). */
  amr?: string[];
  /** The session at the login. Families with the same subject and `sid` are signed out together. */
  sid?: string;
  /** For the access token. They need no scope. */
  claims?: Claims;
  /** About the person, for the ID token and the UserInfo endpoint. Scopes release them. */
  id_token_claims?: Claims;
  /** About the person, for the UserInfo endpoint alone. Scopes release them. */
  userinfo?: Claims;
}

/** The names of the fields, for code that carries all of them. */
export const loginClaimNames = [
  "auth_time",
  "acr",
  "amr",
  "sid",
  "claims",
  "id_token_claims",
  "userinfo",
] as const satisfies readonly (keyof LoginClaims)[];

/** The most bytes of all fields together, as JSON in UTF-8. Every family stores them, and a code carries them. */
export const MAX_LOGIN_CLAIMS_BYTES = 2048;

/** Takes the login's claims out of an object that has more fields. */
export function loginClaimsOf(from: LoginClaims): LoginClaims {
  const entries = loginClaimNames.flatMap((name) =>
    from[name] === undefined ? [] : [[name, from[name]]],
  );
  return Object.fromEntries(entries) as LoginClaims;
}
