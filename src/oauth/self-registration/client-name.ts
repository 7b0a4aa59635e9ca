/*
 * The patterns are made from texts, because the engine reads the classes of Unicode for every literal of the upload when
 * an isolate starts, and they would make that an eighth longer.
 */

/** The most characters of a name that a client has given itself. */
const MAX_CHARACTERS = 100;
/**
 * Format characters (such as the bidi controls, which turn the order of the text around them), characters that are not
 * drawn, an empty Braille cell, and what Unicode has given no meaning.
 */
const INVISIBLE = new RegExp(
  String.raw`[\p{Cf}\p{DI}\p{Co}\p{Cs}\p{Cn}\u2800]`,
  "gu",
);
/** All white space, line breaks and control characters. */
const BLANKS = new RegExp(String.raw`[\s\p{Z}\p{Cc}]+`, "gu");
/** More combining marks on one letter than any writing needs. A tower of them covers other lines of a page. */
const TOWER = new RegExp(String.raw`(\p{M}{4})\p{M}+`, "gu");
const VISIBLE = new RegExp(String.raw`[\p{L}\p{N}\p{P}\p{S}]`, "u");

/**
 * Returns the name that a client has given itself, as it may be stored and shown: one line of visible characters. A
 * stranger has written it, so it proves nothing, and it must not change how the rest of a page reads. A page
 * escapes it nevertheless.
 *
 * @returns undefined if nothing visible is left
 */
export function plainClientName(name: string): string | undefined {
  const plain = name
    .replaceAll(INVISIBLE, "")
    // The time of `normalize` grows with the square of a tower. It may make a tower again, of marks that it takes apart.
    .replaceAll(TOWER, "$1")
    .normalize("NFC")
    .replaceAll(BLANKS, " ")
    .replaceAll(TOWER, "$1")
    .trim();
  const short = Array.from(plain).slice(0, MAX_CHARACTERS).join("").trim();
  return VISIBLE.test(short) ? short : undefined;
}
