import { OAuthError } from "./errors.ts";

/** The parameters of one request, read once (RFC 6749 sections 3.1 and 3.2, appendix B). */
export class Parameters {
  readonly #values: URLSearchParams;

  constructor(values: URLSearchParams) {
    this.#values = values;
  }

  /** The value of a parameter that may be there once; one without a value counts as left out. */
  optional(name: string): string | undefined {
    return this.all(name)[0];
  }

  /** Like `optional`, but it has to be there. */
  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined)
      throw new OAuthError("parameter_missing", { subject: name });
    return value;
  }

  /** Every value of a parameter that may be repeated (RFC 8707 section 2). */
  all(name: string): string[] {
    return this.#values.getAll(name).filter((value) => value !== "");
  }

  /** @throws OAuthError `parameter_repeated` if one of these is there more than once */
  refuseRepeated(names: Iterable<string>): void {
    for (const name of names) {
      if (this.all(name).length > 1)
        throw new OAuthError("parameter_repeated", { subject: name });
    }
  }
}

/**
 * Reads a form body.
 *
 * @param contentType the request's Content-Type
 * @param body the body's bytes, as UTF-8
 * @param singular the parameters that must not be repeated; unknown ones are ignored
 * @throws OAuthError `content_type_wrong` or `parameter_repeated`
 */
export function readForm(
  contentType: string | undefined,
  body: ArrayBuffer,
  singular: Iterable<string>,
): Parameters {
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== "application/x-www-form-urlencoded")
    throw new OAuthError("content_type_wrong");
  const parameters = new Parameters(
    new URLSearchParams(new TextDecoder().decode(body)),
  );
  parameters.refuseRepeated(singular);
  return parameters;
}
