/** The members of a public key that are kept: those that a check of a signature or of a certificate needs. */
export const publicKeyMembers = [
  "kty",
  "crv",
  "x",
  "y",
  "n",
  "e",
  "kid",
  "use",
  "key_ops",
  "alg",
  "x5c",
  "x5t#S256",
] as const;

/** The members of a private or symmetric key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1). */
const secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/** Tells whether a JWK has private or symmetric parts. */
export function isSecretKey(key: unknown): boolean {
  return (
    typeof key === "object" &&
    key !== null &&
    secretMembers.some((name) => name in key)
  );
}

/** Says why a value cannot be a public JWK; undefined if it may be one. The text follows the name of the key. */
export function secretKeyProblem(key: unknown): string | undefined {
  if (typeof key !== "object" || key === null) return "must be an object";
  if (!isSecretKey(key)) return undefined;
  return "kty" in key && key.kty === "oct"
    ? "must not be a symmetric key. Use a key pair"
    : "must not have the private part of the key. Send the public key, and replace this key pair, because others may have seen it";
}
