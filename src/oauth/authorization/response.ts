import type { AuthorizationRequest } from "./request.ts";
import { encodeParameters, withEncodedParameters } from "../redirect-uri.ts";
import type { Server } from "../server.ts";

/**
 * The URL length that every server should support (RFC 9110 section 4.1), so the sign-in page and the client
 * do too.
 */
export const MAX_URL_CHARACTERS = 8000;

/**
 * Makes the URL of the authorization response: a code or an error (RFC 6749 section 4.1.2), with `state` and
 * `iss` (RFC 9207).
 */
export function authorizationResponse(
  { settings }: Pick<Server, "settings">,
  { redirect_uri, state }: Pick<AuthorizationRequest, "redirect_uri" | "state">,
  codeOrError: Record<string, string | undefined>,
): string {
  return withEncodedParameters(redirect_uri, [
    ...encodeParameters(codeOrError),
    ...(state === undefined ? [] : [`state=${state}`]),
    ...encodeParameters({ iss: settings.issuer }),
  ]);
}
