import type { Client } from "../entities.ts";
import { fieldError } from "../errors.ts";
import { outgoingUriProblem } from "../outgoing-uri.ts";
import { registrationProblem } from "../redirect-uri.ts";
import type { Settings } from "../settings.ts";

/** The parameters that the server adds to a post-logout redirect URI. */
const responseParameters = ["state"];

/**
 * Checks the URIs of a client that have to do with logout. The previous ones are not checked, so that other fields can
 * be changed.
 *
 * @throws OAuthError `admin_body_invalid`
 */
export function checkLogoutUris(
  { post_logout_redirect_uris = [], backchannel_logout_uri }: Client,
  { issuer }: Pick<Settings, "issuer">,
  previous?: Client,
): void {
  const known = new Set(previous?.post_logout_redirect_uris);
  for (const [position, uri] of post_logout_redirect_uris.entries()) {
    if (known.has(uri)) continue;
    const problem = registrationProblem(uri, responseParameters);
    if (problem !== undefined)
      throw fieldError(`post_logout_redirect_uris.${position}`, problem);
  }
  if (
    backchannel_logout_uri === undefined ||
    backchannel_logout_uri === previous?.backchannel_logout_uri
  )
    return;
  const problem = outgoingUriProblem(backchannel_logout_uri, issuer);
  if (problem !== undefined)
    throw fieldError("backchannel_logout_uri", problem);
}
