import type { AuthorizationRequest } from "./request.ts";
import { withParameters } from "../redirect-uri.ts";
import type { Server } from "../server.ts";

/** The authorization response: what the client asked for, or why not, and who says so (RFC 9207). */
export function authorizationResponse(
  { settings }: Pick<Server, "settings">,
  { redirect_uri, state }: Pick<AuthorizationRequest, "redirect_uri" | "state">,
  answer: Record<string, string | undefined>,
): string {
  return withParameters(redirect_uri, {
    ...answer,
    state,
    iss: settings.issuer,
  });
}
