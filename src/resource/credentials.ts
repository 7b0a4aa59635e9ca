import type { Presentation, ResourceOptions } from "./options.ts";

/** The token of a request, and the scheme that it has. */
export interface Credentials {
  scheme: "Bearer" | "DPoP";
  /** Empty: the scheme has no token. */
  token: string;
}

/**
 * Reads the token of a request (RFC 6750 section 2.1, RFC 9449 section 7.1). A token in the query or in a form is not read
 * (RFC 9700 section 4.3.2). Several credentials are one malformed token, because `Headers` joins them with a comma.
 *
 * @returns undefined if there is no token
 */
export function credentialsOf({ headers }: Request): Credentials | undefined {
  const header = headers.get("Authorization") ?? "";
  const [, scheme, token = ""] =
    /^(bearer|dpop)(?: +(.*)| *)$/is.exec(header) ?? [];
  if (scheme === undefined) return undefined;
  return { scheme: scheme.toLowerCase() === "dpop" ? "DPoP" : "Bearer", token };
}

/** Reads what a request proves for a token with that scheme. */
export function presentationOf(
  request: Request,
  scheme: Credentials["scheme"],
  { url_of, certificate_of }: ResourceOptions,
): Presentation {
  const certificate = certificate_of?.(request);
  const { method, headers } = request;
  const proof = headers.get("DPoP") ?? "";
  const url = url_of ? url_of(request) : request.url;
  return {
    ...(scheme === "DPoP" && { dpop: { proof, method, url } }),
    ...(certificate !== undefined && { certificate }),
  };
}
