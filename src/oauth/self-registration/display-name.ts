/**
 * Characters that a person does not see, or that change the order in which a person sees others (Unicode UAX #9 section
 * 2). The joiners U+200C and U+200D are allowed, because Persian and emoji are written with them.
 */
const hidden =
  /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/u;

/** More marks on one letter than any language has. They would cover the lines above and below. */
const stackedMarks = /\p{M}{5}/u;

/**
 * Returns what is wrong with a name that a stranger has chosen and that a consent page shows; undefined if nothing is.
 */
export function displayNameProblem(name: string): string | undefined {
  if (!name.isWellFormed()) return "must be well-formed Unicode";
  if (hidden.test(name))
    return "must not have control characters, invisible characters or characters that change the direction of text";
  return stackedMarks.test(name)
    ? "must not have more than four marks on one letter"
    : undefined;
}
