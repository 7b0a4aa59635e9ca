import { OPENID } from "../oauth/openid/scopes.ts";
import type { Endpoint } from "./endpoint.ts";

/** The code behind the endpoint is loaded when somebody signs out, because no request for a token needs it. */
const loadAnswer = () => import("./end-session-answer.ts");
const loadPage = () => import("./page.ts");

/**
 * The end session endpoint (OpenID Connect RP-Initiated Logout 1.0). It ends the login that the ID token of the request
 * belongs to. Then the login is asked to end its own session (`LOGOUT_URL`), which reports it by `POST /admin/logouts`
 * or by RPC. Without LOGOUT_URL the other logins of the same session end here, and the browser goes back to the app.
 */
const endSessionByGet: Endpoint = {
  path: "/end_session",
  method: "GET",
  cors: false,
  needsScope: OPENID,

  metadata: ({ issuer }) => ({
    end_session_endpoint: `${issuer}/end_session`,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  }),

  async respond(c) {
    const { answerEndSession } = await loadAnswer();
    return answerEndSession(c);
  },

  async renderError(c, refusal) {
    const { refusalPage } = await loadPage();
    return refusalPage(c, refusal, "sign-out");
  },
};

/** The endpoint with both of its methods (RP-Initiated Logout section 2). */
export const endSessionEndpoints: readonly Endpoint[] = [
  endSessionByGet,
  { ...endSessionByGet, method: "POST" },
];
