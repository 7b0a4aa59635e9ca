/**
 * The methods of client authentication, with the names of RFC 7591 section 2. The client schema, the metadata
 * and the command line derive from this list.
 */
export const authenticationMethods = [
  "client_secret_basic",
  "client_secret_post",
  "none",
] as const;

export type AuthenticationMethod = (typeof authenticationMethods)[number];

/** The methods of confidential clients (RFC 6749 section 2.1). */
export const confidentialMethods = authenticationMethods.filter(
  (method) => method !== "none",
);
