import { expect } from "vitest";
import { REDIRECT_URI } from "./authorization.ts";
import { reasonOf } from "./request-lines.ts";

/** The two ways in which the authorization endpoint says no (RFC 6749 section 4.1.2.1). */

/** A page for the person, which leads nowhere: its status, the standard code in it, and the precise reason. */
export async function shown(
  response: Response,
): Promise<
  [status: number, error: string | undefined, reason: string | undefined]
> {
  expect(response.headers.get("Location")).toBeNull();
  expect(response.headers.get("Refresh")).toBeNull();
  expect(response.headers.get("Content-Type")).toBe("text/html; charset=UTF-8");
  const page = await response.text();
  const [, error] = /<dt>Error<\/dt>\s*<dd>([^<]*)<\/dd>/.exec(page) ?? [];
  return [response.status, error, reasonOf(response)];
}

/**
 * What the client is told by a redirect to its own redirect URI, as it is in the header, and the precise
 * reason, which the client is not told.
 */
export function told(
  response: Response,
  redirectUri = REDIRECT_URI,
): [answer: Record<string, string>, reason: string | undefined] {
  expect(response.status).toBe(303);
  const location = response.headers.get("Location") ?? "";
  const [address, query, ...rest] = location.split("?");
  expect([address, rest]).toEqual([redirectUri, []]);
  const answer = Object.fromEntries(new URLSearchParams(query));
  return [answer, reasonOf(response)];
}
