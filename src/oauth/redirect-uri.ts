import { schemeProblem } from "./redirect-schemes.ts";

/** A loopback address: the literals of RFC 8252 section 7.3, and `localhost`. */
const loopback =
  /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::(\d{1,5}))?([/?].*)?$/;

/**
 * Tells whether a redirect URI is registered. It must be the same string. Only a loopback address may differ: in
 * its port, because a native app listens on any free port (RFC 8252 section 7.3, RFC 9700 section 2.1), and in
 * the path "/", which is the same as no path (RFC 3986 section 6.2.3).
 */
export function isRegistered(
  redirectUri: string,
  registered: readonly string[],
): boolean {
  return registered.some((uri) => isSame(uri, redirectUri, "any port"));
}

/**
 * Tells whether two redirect URIs lead to the same place: the same string, or loopback addresses with the same
 * port that differ only in the path "/" and no path.
 */
export function isSameRedirectUri(one: string, other: string): boolean {
  return isSame(one, other, "same port");
}

function isSame(one: string, other: string, port: "any port" | "same port") {
  if (one === other) return true;
  const [a, b] = [loopbackParts(one), loopbackParts(other)];
  return (
    a !== undefined &&
    b !== undefined &&
    a.host === b.host &&
    a.rest === b.rest &&
    (port === "any port" || a.port === b.port)
  );
}

/** Tells whether a URI is plain http to a loopback address. */
export function isLoopback(uri: string): boolean {
  return loopbackParts(uri) !== undefined;
}

/** Takes a loopback URI apart. Undefined: another URI, or the port is not valid. */
function loopbackParts(uri: string) {
  const [, host, port, rest = ""] = loopback.exec(uri) ?? [];
  const portFits = port === undefined || (+port >= 1 && +port <= 65535);
  if (host === undefined || !portFits) return undefined;
  return { host, port, rest: rest.startsWith("/") ? rest : `/${rest}` };
}

/** An absolute URI, with only the characters of a URI (RFC 3986 section 4.3). */
const absoluteUri =
  /^[a-z][a-z0-9+.-]*:(?:[a-z0-9._~:/?[\]@!$&'()*+,;=-]|%[0-9a-f]{2})+$/i;
/** An http URI has an authority (RFC 9110 section 4.2). A user in it is not allowed. */
const httpUri = /^https?:\/\/[^/?@]+(?:[/?]|$)/i;
/**
 * A host without a scheme, such as `app.example.com:8080` or `localhost:/callback`. A parser takes the host as the
 * scheme.
 */
const withoutScheme = /^(?:[a-z0-9.-]+:\d|localhost:)/i;
/** The parameters that the authorization endpoint adds to a redirect URI. A client would get them twice. */
const responseParameters = ["code", "state", "iss", "error"];

/**
 * Returns why a redirect URI cannot be registered; undefined if it can. The schema of the client's record has
 * checked its form (`client-metadata.ts`).
 *
 * @param added the parameters that the server adds to the URI
 */
export function registrationProblem(
  uri: string,
  added: readonly string[] = responseParameters,
): string | undefined {
  const { protocol, username, password, searchParams } = new URL(uri);
  if (!absoluteUri.test(uri)) return "must be an absolute URI";
  const isWeb = protocol === "http:" || protocol === "https:";
  if (withoutScheme.test(uri))
    return "must begin with https://, or with http:// for localhost";
  const refused = schemeProblem(uri);
  if (refused !== undefined) return refused;
  // RFC 9700 section 2.6: a code must not travel in the clear.
  if (protocol === "http:" && !isLoopback(uri))
    return "must begin with https:// (http:// is only for 127.0.0.1, [::1] and localhost)";
  if (username !== "" || password !== "" || (isWeb && !httpUri.test(uri)))
    return "must have a host after //, without a user or a password";
  if (uri.includes("*"))
    return "must not contain *, because redirect URIs are compared character by character";
  const taken = added.find((name) => searchParams.has(name));
  return taken === undefined
    ? undefined
    : `must not have a parameter ${taken}, because the server adds it`;
}

/** Adds parameters to the query of a URI. The URI itself does not change by a byte. */
export function withParameters(
  uri: string,
  parameters: Record<string, string | undefined>,
): string {
  return withEncodedParameters(uri, encodeParameters(parameters));
}

/** Encodes parameters for `withEncodedParameters`. Those that are undefined are left out. */
export function encodeParameters(
  parameters: Record<string, string | undefined>,
): string[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    // A space becomes %20 and not +, because some clients do not decode +.
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
}

/** Like `withParameters`, with parameters (`name=value`) in the encoding that they have already. */
export function withEncodedParameters(
  uri: string,
  parameters: readonly string[],
): string {
  if (parameters.length === 0) return uri;
  const hasQuery = uri.includes("?");
  // A question mark within a query is a part of it (RFC 3986 section 3.4).
  const isOpen = /^[^?]*\?$|&$/.test(uri);
  const separator = !hasQuery ? "?" : isOpen ? "" : "&";
  return uri + separator + parameters.join("&");
}
