import * as v from "valibot";

/** A bound of Baton's, in bytes of UTF-8. RFC 9068 section 2.2 has none. */
export const MAX_SUBJECT_BYTES = 255;

/** The schema of a subject: the user, by the name that the sign-in page gives. */
export const subject = v.pipe(
  v.string(),
  v.minLength(1),
  v.check(
    (text) => new TextEncoder().encode(text).length <= MAX_SUBJECT_BYTES,
    `must be at most ${MAX_SUBJECT_BYTES} bytes`,
  ),
  // A lone surrogate has no UTF-8, so two different subjects would become the same.
  v.check(
    (text) => text.isWellFormed() && !/\p{Cc}/u.test(text),
    "must be text without control characters",
  ),
  v.check(
    (text) => text !== "." && text !== "..",
    "must not be . or .., because a URL path cannot contain them",
  ),
  v.metadata({
    description: "The user: `sub` of the access tokens.",
    example: "alice",
  }),
);
