/** Where the browser may be sent back to (RFC 6749 section 3.1.2, RFC 9700 section 2.1). */

/** The hosts that are this machine: the literals of RFC 8252 section 7.3, and the name for them. */
const loopback =
  /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::(\d{1,5}))?([/?].*)?$/;

/**
 * Whether a redirect URI is one that the client has registered: the same string, character by
 * character. Only the port of a loopback address may be another one: a native app listens on whatever
 * port is free (RFC 8252 section 7.3, RFC 9700 section 2.1).
 */
export function isRegistered(
  redirectUri: string,
  registered: readonly string[],
): boolean {
  const portless = withoutPort(redirectUri);
  return registered.some(
    (uri) =>
      uri === redirectUri ||
      (portless !== undefined && portless === withoutPort(uri)),
  );
}

/** Whether a URI leads to the machine that it is opened on, by plain http. */
export function isLoopback(uri: string): boolean {
  return withoutPort(uri) !== undefined;
}

/** A loopback address without its port; undefined for any other URI, or a port that is none. */
function withoutPort(uri: string): string | undefined {
  const [, host = "", port, rest = ""] = loopback.exec(uri) ?? [];
  const portFits = port === undefined || (+port >= 1 && +port <= 65535);
  return host !== "" && portFits ? `${host} ${rest}` : undefined;
}

/** RFC 3986 section 4.3: an absolute URI, of the characters that a URI may have. */
const absoluteUri =
  /^[a-z][a-z0-9+.-]*:(?:[a-z0-9._~:/?[\]@!$&'()*+,;=-]|%[0-9a-f]{2})+$/i;
/** RFC 9110 section 4.2: with an authority. What has a user in it is not sent to anybody. */
const httpUri = /^https?:\/\/[^/?@]+(?:[/?]|$)/i;
/** RFC 8252 section 7.1: an app's own scheme is a domain name of its maker's, in reverse order. */
const ownScheme = /^[a-z][a-z0-9+-]*\.[a-z0-9.+-]+:/i;
/** What was meant to have a scheme, and reads as if its host were one. */
const hostAndPort = /^[a-z0-9.-]+:\d/i;
/** The parameters of the answer: a client would find them twice. */
const answerParameters = ["code", "state", "iss", "error"];

/** Why a URI can't be registered, beyond its form; undefined if it can. */
export function registrationProblem(uri: string): string | undefined {
  const { protocol, username, password, searchParams } = new URL(uri);
  if (!absoluteUri.test(uri)) return "has to be an absolute URI";
  const isWeb = protocol === "http:" || protocol === "https:";
  if (hostAndPort.test(uri))
    return "has to begin with https://, or with http:// for localhost";
  if (!isWeb && !ownScheme.test(uri))
    return "has to begin with https://, or with an app's own scheme, which has a period in it (com.example.app:/callback)";
  // RFC 9700 section 2.6: a code must not travel in the clear.
  if (protocol === "http:" && !isLoopback(uri))
    return "has to begin with https:// (http:// is for 127.0.0.1, [::1] and localhost only)";
  if (username !== "" || password !== "" || (isWeb && !httpUri.test(uri)))
    return "has to have a host after //, without a user or a password";
  if (uri.includes("*"))
    return "must not have a * in it: redirect URIs are compared character by character";
  const taken = answerParameters.find((name) => searchParams.has(name));
  return taken === undefined
    ? undefined
    : `must not have a parameter called ${taken}: that one is added`;
}

/** A URI with more parameters in its query; what it has stays as it is, byte for byte. */
export function withParameters(
  uri: string,
  parameters: Record<string, string | undefined>,
): string {
  const added = Object.entries(parameters).flatMap(([name, value]) =>
    // Not the + of forms for a space: some clients decode the one, all the other.
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  if (added.length === 0) return uri;
  const separator = !uri.includes("?") ? "?" : /[?&]$/.test(uri) ? "" : "&";
  return uri + separator + added.join("&");
}
