import { OAuthError } from "./errors.ts";

const decoder = new TextDecoder();

/** The parameters of one request (RFC 6749 sections 3.1 and 3.2, appendix B). */
export class Parameters {
  /** The parameters that have a value. A parameter with an empty value counts as left out (section 3.1). */
  readonly #values = new Map<string, string[]>();

  constructor(search: URLSearchParams) {
    for (const [name, value] of search) {
      if (value === "") continue;
      const values = this.#values.get(name);
      if (values) values.push(value);
      else this.#values.set(name, [value]);
    }
  }

  /** Returns the value of a parameter that may be sent once. */
  optional(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** Like `optional`. @throws OAuthError `parameter_missing` */
  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined)
      throw new OAuthError("parameter_missing", { subject: name });
    return value;
  }

  /** Returns every value of a parameter that may be repeated (RFC 8707 section 2). */
  all(name: string): string[] {
    return this.#values.get(name) ?? [];
  }

  /** @throws OAuthError `parameter_repeated` if one of these parameters was sent more than once */
  refuseRepeated(names: readonly string[]): void {
    for (const [name, values] of this.#values) {
      if (values.length > 1 && names.includes(name))
        throw new OAuthError("parameter_repeated", { subject: name });
    }
  }
}

/**
 * Reads a form body.
 *
 * @param contentType the request's Content-Type
 * @param body the bytes of the body, which are decoded as UTF-8
 * @param singular the parameters that must not be repeated
 * @throws OAuthError `content_type_wrong` or `parameter_repeated`
 */
export function readForm(
  contentType: string | undefined,
  body: ArrayBuffer,
  singular: readonly string[],
): Parameters {
  if (!isForm(contentType)) throw new OAuthError("content_type_wrong");
  const parameters = new Parameters(new URLSearchParams(decoder.decode(body)));
  parameters.refuseRepeated(singular);
  return parameters;
}

/** Tells whether a Content-Type is that of a form. */
export function isForm(contentType: string | undefined): boolean {
  return mediaType(contentType) === "application/x-www-form-urlencoded";
}

/** Returns the media type of a Content-Type, without its parameters, in lower case. */
export function mediaType(contentType: string | undefined): string | undefined {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase();
}
