/**
 * The keys that a token is bound to, with the names of the claim `cnf` (RFC 7800). A token that is bound to several needs
 * a proof of each.
 */
export interface Confirmation {
  /** The SHA-256 thumbprint of the public key of DPoP proofs, in base64url (RFC 9449 section 6.1). */
  jkt?: string;
  /** The SHA-256 thumbprint of the client certificate, in base64url (RFC 8705 section 3.1). */
  "x5t#S256"?: string;
}

const members = ["jkt", "x5t#S256"] as const;

/**
 * Tells whether a request has proven every key that a token is bound to.
 *
 * @param proven the keys that the request has proven. Undefined: none
 */
export function isConfirmed(
  bound: Confirmation,
  proven: Confirmation | undefined,
): boolean {
  return members.every(
    (member) =>
      bound[member] === undefined || bound[member] === proven?.[member],
  );
}

/** Tells whether there is any key. */
export function hasKey(proven: Confirmation | undefined): boolean {
  return members.some((member) => proven?.[member] !== undefined);
}

/**
 * The thumbprint of a key: the base64url of a SHA-256 digest, without padding (RFC 7638, RFC 8705). Its last character has
 * two unused bits. Another spelling would be equal to no thumbprint that this server computes.
 */
export const thumbprintPattern = /^[\w-]{42}[AEIMQUYcgkosw048]$/;
