/** The lifetimes of encrypted JWTs (`encrypted-jwt.ts`), in seconds. */

/** The time that a user has to sign in: enough to find a phone or to reset a password. */
export const REQUEST_SECONDS = 30 * 60;

/** RFC 6749 section 4.1.2 recommends at most ten minutes. A browser needs a few seconds. */
export const CODE_SECONDS = 60;

/** The time that a user has to confirm a sign-out. */
export const LOGOUT_SECONDS = 30 * 60;
