/**
 * The one spelling of bytes in base64url (RFC 7515 section 2): no padding, no white space, and unused bits are zero. It is
 * a part of a pattern. An empty text has it, too.
 */
export const BASE64URL =
  "(?:[\\w-]{4})*(?:[\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])?";
