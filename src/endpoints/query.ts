import type { Context } from "hono";
import { OAuthError } from "../oauth/errors.ts";
import { isForm } from "../oauth/parameters.ts";
import type { AppEnv } from "./endpoint.ts";

/** The query of a request of a browser, or its form, as it came. */

/** Every character that a browser percent-encodes in a query (URL Standard, query percent-encode set). */
const notOfQuery = /[^\x21\x23-\x3b\x3d\x3f-\x7e]+/g;

/**
 * Returns the query of a GET, or the form of a POST, as it came, without `?` and fragment. The query of a POST is not
 * read beside its form, so that no parameter has two places. A URL object would encode an apostrophe. Characters that no
 * browser sends are percent-encoded.
 *
 * @throws OAuthError `content_type_wrong`
 */
export async function queryOf(c: Context<AppEnv>): Promise<string> {
  if (c.req.method !== "POST") {
    const [, query = ""] = /^[^?#]*\?([^#]*)/.exec(c.req.url) ?? [];
    return query.replace(notOfQuery, encodeURIComponent);
  }
  if (!isForm(c.req.header("Content-Type")))
    throw new OAuthError("content_type_wrong");
  const form = new TextDecoder().decode(await c.req.arrayBuffer());
  // In a query it would have begun the fragment.
  return form.replaceAll("#", "%23").replace(notOfQuery, encodeURIComponent);
}
