/** The rules for the URLs among the variables. Each returns what is wrong, or undefined. */

/** Tells whether a URL of plain http may be ISSUER, LOGIN_URL or LOGOUT_URL. */
export type PlainHttpRule = (url: string) => boolean;

/**
 * Checks an issuer (RFC 8414 section 2). It must be an origin, because the endpoints have fixed paths below
 * it.
 */
export function issuerProblem(issuer: string): string | undefined {
  if (!URL.canParse(issuer) || new URL(issuer).origin !== issuer) {
    return "must be an origin without a path or a slash at its end, such as https://auth.example.com";
  }
  return undefined;
}

/** Checks that a URL uses https, or plain http where that is allowed. */
export function transportProblem(
  url: string,
  mayBePlain: PlainHttpRule,
): string | undefined {
  const { protocol } = new URL(url);
  return protocol === "https:" || (protocol === "http:" && mayBePlain(url))
    ? undefined
    : "must begin with https:// (http:// is for localhost only)";
}

/**
 * Checks LOGIN_URL or LOGOUT_URL. It must not have a fragment, as the endpoints of RFC 6749 section 3.1, nor the
 * parameter that `/authorize` and `/end_session` add.
 */
export function loginUrlProblem(url: string): string | undefined {
  // A browser reads spaces, backslashes and missing slashes, which RFC 3986 forbids, in its own way.
  const isPlain = /^[a-z]+:\/\/[^/]/.test(url) && !/[^!-~]|[#\\]/.test(url);
  if (!isPlain || !URL.canParse(url))
    return "must be a URL without a fragment or spaces, such as https://login.example.com/sign-in";
  return new URL(url).searchParams.has("request")
    ? "must not have a parameter named request, because Baton adds it"
    : undefined;
}
