import * as v from "valibot";
import { OAuthError } from "../oauth/errors.ts";
import { mediaType, Parameters, readForm } from "../oauth/parameters.ts";
import { parse } from "../oauth/schema.ts";

/** The only parameter that may be repeated (RFC 8707 section 2). */
const repeatable = ["resource"];

const text = v.union([
  v.string(),
  // JSON has numbers that are read as infinite, such as 1e999.
  v.pipe(v.number(), v.finite()),
  v.boolean(),
  v.null(),
]);
const texts = v.union([
  v.pipe(
    text,
    v.transform((one) => [one]),
  ),
  v.array(text),
]);

/**
 * Reads a body in one of the formats that PHP and Laravel accept: a form in either encoding, or a JSON
 * object. A value in JSON is a string, a number, a boolean or null; a repeated parameter is an array of them.
 * The values of unknown parameters are not checked.
 *
 * @param singular the parameters that must not be repeated
 * @throws OAuthError `content_type_wrong`, `body_malformed` or `parameter_repeated`
 */
export async function readLenientForm(
  contentType: string | undefined,
  body: ArrayBuffer,
  singular: readonly string[],
): Promise<Parameters> {
  const known = [...singular, ...repeatable];
  const values = await readValues(contentType, body);
  if (!values) return readForm(contentType, body, singular);
  const pairs = values.flatMap(([name, value]) => {
    const { data } = parse(texts, value);
    if (!data && known.includes(name)) throw new OAuthError("body_malformed");
    return (data ?? []).map((one) => [name, String(one ?? "")]);
  });
  const parameters = new Parameters(new URLSearchParams(pairs));
  parameters.refuseRepeated(singular);
  return parameters;
}

/** Reads names and values; undefined if the body is neither JSON nor `multipart/form-data`. */
async function readValues(
  contentType: string | undefined,
  body: ArrayBuffer,
): Promise<[string, unknown][] | undefined> {
  const type = mediaType(contentType);
  const headers = { "Content-Type": contentType ?? "" };
  const content = new Response(body, { headers });
  try {
    if (type === "application/json") return entriesOf(await content.json());
    if (type === "multipart/form-data") return [...(await content.formData())];
    return undefined;
  } catch {
    // The parsers say no more than that the body is malformed.
    throw new OAuthError("body_malformed");
  }
}

/** @throws OAuthError `body_malformed` */
function entriesOf(value: unknown): [string, unknown][] {
  const isObject = typeof value === "object" && value !== null;
  if (!isObject || Array.isArray(value)) throw new OAuthError("body_malformed");
  return Object.entries(value);
}
