/**
 * The beginning of every named admin token, so that secret scanners find one. It stands alone, because it decides
 * whether the rest (`admin-tokens.ts`) is loaded.
 */
export const ADMIN_TOKEN_PREFIX = "baton_admin_";
