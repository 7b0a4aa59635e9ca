import type { Context } from "hono";
import { html } from "hono/html";
import { endHintedLogin, endSession } from "../oauth/authorization/logout.ts";
import {
  afterLogout,
  checkLogoutRequest,
  encryptLogoutRequest,
} from "../oauth/authorization/logout-request.ts";
import { readState } from "../oauth/authorization/state.ts";
import { OAuthError } from "../oauth/errors.ts";
import { OPENID } from "../oauth/openid-scopes.ts";
import { Parameters, readForm } from "../oauth/parameters.ts";
import { withParameters } from "../oauth/redirect-uri.ts";
import { type AppEnv, type Endpoint, now, redirect } from "./endpoint.ts";
import { page, refusalPage } from "./page.ts";

/**
 * The URL length that every server should support (RFC 9110 section 4.1). An ID token may fill most of it, so that the
 * query has no smaller bound, as that of `/authorize` has.
 */
const MAX_URL_CHARACTERS = 8000;

/**
 * Ends the login that the ID token of the request belongs to. Then the login is asked to end its own session
 * (`LOGOUT_URL`), which reports it by `POST /admin/logouts` or by RPC. Without LOGOUT_URL the other logins of the same
 * session end here, and the browser goes back to the app.
 */
async function signOut(
  c: Context<AppEnv>,
  query: string,
  parameters: Parameters,
): Promise<Response> {
  const { log } = c.var;
  const server = await c.var.server();
  log.begin("client");
  const logout = await checkLogoutRequest(server, parameters, readState(query));
  const { request, client } = logout;
  const { session } = request;
  if (client) log.fields.client_id = client.client_id;
  const back = afterLogout(request);
  if (back !== undefined && back.length > MAX_URL_CHARACTERS)
    throw tooLong("the URL back to the client");
  const { logout_url } = server.settings;
  const target =
    logout_url === undefined
      ? back
      : withParameters(logout_url, {
          request: await encryptLogoutRequest(server, request, now()),
        });
  if (target !== undefined && target.length > MAX_URL_CHARACTERS)
    throw tooLong("encrypted for the login, its URL");
  if (logout_url === undefined && !session)
    throw new OAuthError("logout_hint_missing");

  // Everything that the request can be refused for has been looked at.
  log.begin("family");
  await endHintedLogin(server, logout, log);
  if (logout_url === undefined && session?.sid !== undefined)
    await endSession(server, session.subject, session.sid, log);
  return target === undefined
    ? signedOutPage(c, client?.client_name)
    : redirect(c, target);
}

function signedOutPage(c: Context<AppEnv>, name = "the app") {
  return page(
    c,
    "You are signed out",
    html`<p>
        You are signed out of ${name}. The page where you sign in may still know
        you, so that nobody has to type a password there.
      </p>
      <p>You can close this page.</p>`,
  );
}

function tooLong(what: string): OAuthError {
  return new OAuthError("logout_request_too_long", {
    subject: `${what} has more than ${MAX_URL_CHARACTERS} characters`,
  });
}

const shared = {
  path: "/end_session",
  cors: false,
  needsScope: OPENID,
  renderError: (c, refusal) => refusalPage(c, refusal, "sign-out"),
} satisfies Partial<Endpoint>;

/** The end session endpoint (OpenID Connect RP-Initiated Logout section 2), for both methods. */
export const endSessionEndpoints: readonly Endpoint[] = [
  {
    ...shared,
    method: "GET",

    metadata: ({ issuer }) => ({
      end_session_endpoint: `${issuer}${shared.path}`,
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
    }),

    respond(c) {
      const [, query = ""] = /^[^?#]*\?([^#]*)/.exec(c.req.url) ?? [];
      if (query.length > MAX_URL_CHARACTERS) throw tooLong("its query");
      const search = new URLSearchParams(`?${query}`);
      return signOut(c, inQueryCharacters(query), new Parameters(search));
    },
  },
  {
    ...shared,
    method: "POST",

    async respond(c) {
      const type = c.req.header("Content-Type");
      const body = await c.req.arrayBuffer();
      const parameters = readForm(type, body, []);
      const query = inQueryCharacters(new TextDecoder().decode(body));
      return signOut(c, query, parameters);
    },
  },
];

/** Every character that a browser percent-encodes in a query (URL Standard, query percent-encode set), and `#`. */
const notOfQuery = /[^\x21\x24-\x3b\x3d\x3f-\x7e]+/g;

/** Percent-encodes the characters that no browser sends in a query or a form. */
function inQueryCharacters(text: string): string {
  return text.replace(notOfQuery, encodeURIComponent);
}
