import { z } from "zod";

/** Enough for any identifier that is one (RFC 9068 section 2.2 sets no bound). */
const MAX_BYTES = 255;

/** Who the tokens are about, by the name that the deployer's login has for a user. */
export const subject = z
  .string()
  .min(1)
  .refine((text) => new TextEncoder().encode(text).length <= MAX_BYTES, {
    error: `has to be at most ${MAX_BYTES} bytes`,
  })
  // A lone surrogate has no UTF-8: two different subjects would become one.
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), {
    error: "has to be text without control characters",
  })
  .refine((text) => text !== "." && text !== "..", {
    error: "cannot be . or .., which no URL can carry",
  })
  .meta({
    description: "The user: `sub` of the access tokens.",
    example: "alice",
  });
