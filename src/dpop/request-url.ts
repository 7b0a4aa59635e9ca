/** A URL of HTTP by the grammar of RFC 3986, with a host and without user information. IRIs have other characters, too. */
const httpUrl = /^https?:\/\/[^/?#@\\\s\p{Cc}]+(?:\/[^?#\\\s\p{Cc}]*)?$/iu;

/**
 * Returns the form in which `htu` and the URL of a request are compared (RFC 9449 section 4.3, RFC 3986 sections 6.2.2 and
 * 6.2.3): without query and fragment; scheme and host in lower case; without the default port; the dot segments resolved;
 * nothing percent-encoded that need not be.
 *
 * @returns undefined if it is not a URL of HTTP
 */
export function comparableUrl(url: string): string | undefined {
  const plain = url.replace(/[?#].*$/s, "").replaceAll(/%[\da-f]{2}/gi, decode);
  if (!httpUrl.test(plain) || !URL.canParse(plain)) return undefined;
  return new URL(plain).href;
}

/** Decodes what RFC 3986 section 2.3 calls unreserved. What stays encoded has capitals (section 6.2.2.1). */
function decode(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return /[\w.~-]/.test(character) ? character : encoded.toUpperCase();
}
