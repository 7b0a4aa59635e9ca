/** The values of parameters that the metadata lists. */

/** The supported values of `response_type` (RFC 6749 section 3.1.1). */
export const responseTypes = ["code"] as const;
/**
 * The supported values of `response_mode` (OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1).
 */
export const responseModes = ["query"] as const;

/** The values of `prompt` in OpenID Connect Core section 3.1.2.1. The login gets every other value too. */
export const promptValues = [
  "none",
  "login",
  "consent",
  "select_account",
] as const;
