import {
  promptValues,
  responseModes,
  responseTypes,
} from "../oauth/authorization/supported-values.ts";
import { codeChallengeMethods } from "../oauth/authorization/pkce.ts";
import { isOpenIdOn, OPENID } from "../oauth/openid/scopes.ts";
import { type Endpoint, redirect } from "./endpoint.ts";

/** The code behind the endpoint is loaded when a browser comes, because no request for a token needs it. */
const loadAnswer = () => import("./authorization-answer.ts");
const loadPage = () => import("./page.ts");

/**
 * The authorization endpoint (RFC 6749 section 3.1). It checks the request and redirects the browser to the
 * sign-in page (`LOGIN_URL`), which decides by `POST /admin/authorizations` or by RPC. It stores nothing.
 */
const authorizationByGet: Endpoint = {
  path: "/authorize",
  method: "GET",
  cors: false,

  isOn: ({ login_url }) => login_url !== undefined,

  metadata: ({ issuer, metadata_documents }, catalogue) => ({
    authorization_endpoint: `${issuer}/authorize`,
    response_types_supported: responseTypes,
    response_modes_supported: responseModes,
    code_challenge_methods_supported: codeChallengeMethods,
    authorization_response_iss_parameter_supported: true,
    ...(metadata_documents && { client_id_metadata_document_supported: true }),
    ...(isOpenIdOn(catalogue) && { prompt_values_supported: promptValues }),
  }),

  async respond(c) {
    const { answerAuthorization } = await loadAnswer();
    return answerAuthorization(c);
  },

  async renderError(c, refusal) {
    const { errorRedirect } = c.var;
    if (errorRedirect) return redirect(c, errorRedirect(refusal.toJSON()));
    const { refusalPage } = await loadPage();
    return refusalPage(c, refusal);
  },
};

/**
 * The endpoint with both of its methods. OpenID Connect Core section 3.1.2.1 requires POST, so it is there while
 * OpenID Connect is on.
 */
export const authorizationEndpoints: readonly Endpoint[] = [
  authorizationByGet,
  { ...authorizationByGet, method: "POST", needsScope: OPENID },
];
