/**
 * The fewest characters of a secret that was made elsewhere. A shorter one was probably chosen by a person, so
 * it can be guessed: no slow hash makes that harder (`clients/secret.ts`).
 */
export const MIN_SECRET_LENGTH = 16;

/** A text in one pair of quotation marks that are not inside it too. */
const quoted = /^(["'`])((?:(?!\1)[^])*)\1$/;

/**
 * Removes what a shell, an env file or a secret store leaves around a secret: white space, a byte order mark, and at
 * most two pairs of quotation marks. The secret itself has no quotation mark at both of its ends.
 */
export function unwrapSecret(text: string): string {
  const unquote = (value: string) => (quoted.exec(value)?.[2] ?? value).trim();
  return unquote(unquote(text.trim()));
}

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
