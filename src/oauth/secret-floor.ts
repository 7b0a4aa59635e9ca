/**
 * The fewest characters of a secret that was made elsewhere. A shorter one was probably chosen by a person, so
 * it can be guessed: no slow hash makes that harder (`clients/secret.ts`).
 */
export const MIN_SECRET_LENGTH = 16;

/** Says why a secret is easy to guess; undefined if it is not. The text follows the name of the secret. */
export function weakSecretProblem(secret: string): string | undefined {
  if (secret.length < MIN_SECRET_LENGTH)
    return `must have at least ${MIN_SECRET_LENGTH} characters`;
  return isOneRepeated(secret)
    ? "must not be one repeated character"
    : undefined;
}

/** Tells whether all characters, or all bytes, are the same. */
export function isOneRepeated(values: Iterable<string | number>): boolean {
  return new Set(values).size === 1;
}
