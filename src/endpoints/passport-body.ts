import { z } from "zod";
import { OAuthError } from "../oauth/errors.ts";
import { mediaType, Parameters, readForm } from "../oauth/parameters.ts";

/** The one parameter that may be there more than once (RFC 8707 section 2). */
const repeatable = ["resource"];

const object = z.record(z.string(), z.unknown());
const text = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const texts = z.union([text.transform((one) => [one]), z.array(text)]);

/**
 * Reads a body in one of the formats that PHP and Laravel take: a form in either encoding, or a JSON
 * object with a text or a number for a value and a list for one that is repeated. What an unknown
 * parameter holds does not matter.
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
    const { data } = texts.safeParse(value);
    if (!data && known.includes(name)) throw new OAuthError("body_malformed");
    return (data ?? []).map((one) => [name, String(one ?? "")]);
  });
  const parameters = new Parameters(new URLSearchParams(pairs));
  parameters.refuseRepeated(singular);
  return parameters;
}

/** Names and values; undefined for what is neither JSON nor a form of several parts. */
async function readValues(
  contentType: string | undefined,
  body: ArrayBuffer,
): Promise<[string, unknown][] | undefined> {
  const type = mediaType(contentType);
  const headers = { "Content-Type": contentType ?? "" };
  const content = new Response(body, { headers });
  try {
    if (type === "application/json")
      return Object.entries(object.parse(await content.json()));
    if (type === "multipart/form-data") return [...(await content.formData())];
    return undefined;
  } catch {
    // Neither parser says more than that it is not what it should be.
    throw new OAuthError("body_malformed");
  }
}
