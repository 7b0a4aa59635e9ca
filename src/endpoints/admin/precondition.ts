import type { Context } from "hono";
import * as base64url from "jose/base64url";
import { OAuthError } from "../../oauth/errors.ts";

/** ETag and If-Match (RFC 9110 sections 8.8.3 and 13.1.1), so that two operators do not overwrite each other. */

/**
 * Makes the ETag of an object of the admin API: a digest of its version.
 *
 * @param version changes with each change of the object, and has nothing of a secret or its hash
 */
export async function etagOf(version: object): Promise<string> {
  const bytes = new TextEncoder().encode(canonical(version));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return `"${base64url.encode(new Uint8Array(digest, 0, 16))}"`;
}

/**
 * Reads the header If-Match of a change.
 *
 * The change calls the result with the record that it replaces. So a change that comes between reading and
 * writing is noticed as well.
 *
 * @param what names the object in the refusal
 * @param read reads the current record. Undefined: there is none, and the change will say so
 * @param versionOf makes that of which the ETag is made
 * @returns a check that throws OAuthError `admin_precondition_failed`. Without the header it does nothing
 */
export async function precondition<T extends object>(
  c: Context,
  what: string,
  read: () => Promise<T | undefined>,
  versionOf: (record: T) => object,
): Promise<(current: T) => void> {
  const header = c.req.header("If-Match");
  if (header === undefined || header.trim() === "*") return () => {};
  const record = await read();
  const matches =
    record !== undefined &&
    tagsOf(header).includes(await etagOf(versionOf(record)));
  const expected = matches ? canonical(record) : undefined;
  return (current) => {
    if (canonical(current) !== expected)
      throw new OAuthError("admin_precondition_failed", { subject: what });
  };
}

/**
 * Returns the tags of If-Match. A weak tag counts as the strong one, because Cloudflare makes the tag of an
 * answer weak when it compresses it.
 */
function tagsOf(header: string): string[] {
  return header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
}

/** Makes JSON in which the order of fields has no meaning. */
function canonical(value: object): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(
          Object.entries(inner).toSorted(([one], [other]) =>
            one < other ? -1 : 1,
          ),
        )
      : inner,
  );
}
