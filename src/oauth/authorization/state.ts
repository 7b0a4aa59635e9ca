/**
 * Finds `state` in the query of an authorization request. It is not decoded, because it must come back as it was
 * sent (RFC 6749 section 4.1.2): decoded and encoded again, it can have another spelling.
 *
 * @param query in the characters of a URI, without `?` and fragment, so that nothing in `state` can end the
 *   parameter of the response
 * @returns an object without `state` if it is left out, empty, or sent more than once
 */
export function readState(query: string): { state?: string } {
  const states = query.split("&").filter((part) => {
    // The & keeps a leading question mark as a part of the name.
    const [[name, value] = []] = new URLSearchParams(`&${part}`);
    return name === "state" && value !== "";
  });
  const [only] = states;
  return only !== undefined && states.length === 1
    ? { state: only.slice(only.indexOf("=") + 1) }
    : {};
}
