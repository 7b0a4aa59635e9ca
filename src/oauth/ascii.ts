/**
 * Writes A to Z as small letters, and changes no other character. Unicode's rules would make other characters equal to
 * a letter: U+212A, the sign for kelvin, becomes `k`.
 */
export function lowerCaseAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
