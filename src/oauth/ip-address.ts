/** Returns the one spelling of an IP address (RFC 5952). Undefined: it is not an address. */
export function comparableAddress(text: string): string | undefined {
  const isVersion4 = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text);
  if (!isVersion4 && !/^[\da-f:.]+$/i.test(text)) return undefined;
  const url = `http://${isVersion4 ? text : `[${text}]`}`;
  if (!URL.canParse(url)) return undefined;
  const { hostname } = new URL(url);
  // The parser of URLs takes a leading zero for an octal number.
  if (isVersion4) return hostname === text ? text : undefined;
  return hostname.replaceAll(/[[\]]/g, "");
}
