import {
  checkAuthorizationRequest,
  responseModes,
  responseTypes,
  encryptAuthorizationRequest,
} from "../oauth/authorization/request.ts";
import { authorizationResponse } from "../oauth/authorization/response.ts";
import { OAuthError } from "../oauth/errors.ts";
import { Parameters } from "../oauth/parameters.ts";
import { codeChallengeMethods } from "../oauth/authorization/pkce.ts";
import { findRedirectTarget } from "../oauth/authorization/redirect-target.ts";
import { withParameters } from "../oauth/redirect-uri.ts";
import { type Endpoint, now, redirect } from "./endpoint.ts";
import { refusalPage } from "./page.ts";

/** How long the query may be, encoded as a browser does it: most of it comes back to the client. */
const MAX_QUERY_CHARACTERS = 4096;
/** What every server takes in a URL (RFC 9110 section 4.1), the login's as well. */
const MAX_URL_CHARACTERS = 8000;

/**
 * The authorization endpoint (RFC 6749 section 3.1): checks what a client asks for and sends the
 * browser to the login, which decides (`POST /admin/authorizations`). It stores nothing.
 */
export const authorizationEndpoint: Endpoint = {
  path: "/authorize",
  method: "GET",
  cors: false,

  isOn: ({ login_url }) => login_url !== undefined,

  metadata: ({ issuer }) => ({
    authorization_endpoint: `${issuer}/authorize`,
    response_types_supported: responseTypes,
    response_modes_supported: responseModes,
    code_challenge_methods_supported: codeChallengeMethods,
    authorization_response_iss_parameter_supported: true,
  }),

  async respond(c) {
    const { log } = c.var;
    const server = await c.var.server();
    const query = new URLSearchParams(new URL(c.req.url).search);
    if (query.toString().length > MAX_QUERY_CHARACTERS)
      throw tooLong(`its parameters take over ${MAX_QUERY_CHARACTERS}`);
    const parameters = new Parameters(query);
    log.begin("client");
    const target = await findRedirectTarget(server, parameters);
    const { client, redirect_uri } = target;
    log.fields.client_id = client.client_id;
    // From here on it is the client that learns of a refusal, by redirect.
    c.set("errorRedirect", (error) =>
      authorizationResponse(
        server,
        { redirect_uri, ...theOne(parameters.all("state")) },
        { ...error },
      ),
    );

    log.begin("scopes");
    const request = await checkAuthorizationRequest(server, target, parameters);
    log.begin("encrypt");
    const encrypted = await encryptAuthorizationRequest(server, request, now());
    const login = withParameters(server.settings.login_url!, {
      request: encrypted,
    });
    if (login.length > MAX_URL_CHARACTERS)
      throw tooLong(
        `encrypted, for the login, it takes over ${MAX_URL_CHARACTERS}`,
      );
    return redirect(c, login);
  },

  renderError(c, refusal) {
    const { errorRedirect } = c.var;
    if (!errorRedirect) return refusalPage(c, refusal);
    return redirect(c, errorRedirect(refusal.toJSON()));
  },
};

function tooLong(what: string): OAuthError {
  const subject = `${what} characters`;
  return new OAuthError("authorization_request_too_long", { subject });
}

/** What was sent twice is not sent back at all. */
function theOne(states: string[]): { state?: string } {
  const [state] = states;
  return state !== undefined && states.length === 1 ? { state } : {};
}
