import type { Refused } from "../errors.ts";
import type { Parameters } from "../parameters.ts";

/**
 * Reads `prompt` (OpenID Connect Core section 3.1.2.1) for the sign-in page, which obeys it. Values that Baton
 * does not know are kept, because the sign-in page may know them. The values have one space between them and
 * stand there once, so that the page may compare with `none`.
 *
 * @returns `prompt`, if it was sent; refused if `none` stands beside another value
 */
export function readPrompt(
  parameters: Parameters,
): { prompt?: string } | Refused {
  const sent = parameters.optional("prompt")?.split(" ") ?? [];
  const values = new Set(sent.filter((value) => value !== ""));
  if (values.has("none") && values.size > 1)
    return { refused: "prompt_contradictory" };
  return values.size > 0 ? { prompt: [...values].join(" ") } : {};
}
