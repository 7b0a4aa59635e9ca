import { expect } from "vitest";
import { REDIRECT_URI } from "./authorization.ts";
import { reasonOf } from "./request-lines.ts";

/** Reads the two kinds of refusal of the authorization endpoint (RFC 6749 section 4.1.2.1). */

/** Reads an error page, which must not redirect: its status, the error code in it, and the precise reason. */
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
 * Reads a redirect to the client's redirect URI: the parameters in the header Location, and the precise
 * reason, which the client does not get.
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
