/**
 * The names of the grant types: the values of `grant_type`. The client schema, the metadata and the command
 * line derive from this list. `grants/index.ts` maps each name to its file, and the compiler compares the
 * two.
 */
export const grantTypeNames = [
  "authorization_code",
  "refresh_token",
  "client_credentials",
] as const;

export type GrantTypeName = (typeof grantTypeNames)[number];

/** RFC 6749 section 4.4. Without a secret, anybody who knows the client id could get a token. */
const confidentialOnly: readonly string[] = [
  "client_credentials",
] satisfies GrantTypeName[];

export function isGrantTypeName(name: string): name is GrantTypeName {
  return (grantTypeNames as readonly string[]).includes(name);
}

/** Tells whether a grant type is for confidential clients only. */
export function isForConfidentialClients(name: string): boolean {
  return confidentialOnly.includes(name);
}
