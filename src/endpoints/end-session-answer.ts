import type { Context } from "hono";
import { html } from "hono/html";
import { endHintedLogin } from "../oauth/logout/end-session.ts";
import {
  afterLogout,
  checkLogoutRequest,
  encryptLogoutRequest,
} from "../oauth/logout/request.ts";
import { MAX_URL_CHARACTERS } from "../oauth/authorization/response.ts";
import { readState } from "../oauth/authorization/state.ts";
import { OAuthError } from "../oauth/errors.ts";
import { Parameters } from "../oauth/parameters.ts";
import { withParameters } from "../oauth/redirect-uri.ts";
import { type AppEnv, networkOf, now, redirect } from "./endpoint.ts";
import { page } from "./page.ts";
import { queryOf } from "./query.ts";

/** Ends the login of a request, and redirects the browser to the login or back to the app. */
export async function answerEndSession(c: Context<AppEnv>): Promise<Response> {
  const { log } = c.var;
  const server = await c.var.server();
  const query = await queryOf(c);
  if (query.length > MAX_URL_CHARACTERS) throw tooLong("its parameters have");
  log.begin("client");
  const parameters = new Parameters(new URLSearchParams(`?${query}`));
  const logout = await checkLogoutRequest(
    server,
    parameters,
    { ...readState(query), network: networkOf(c) },
    log,
  );
  const { request, client, hasHint } = logout;
  const { logout_url } = server.settings;
  if (logout_url === undefined && !hasHint)
    throw new OAuthError("logout_hint_missing");
  const back = afterLogout(request);
  const target =
    logout_url === undefined
      ? back
      : withParameters(logout_url, {
          request: await encryptLogoutRequest(server, request, now()),
        });
  for (const url of [back, target])
    if (url !== undefined && url.length > MAX_URL_CHARACTERS)
      throw tooLong("a URL that the browser would be redirected to has");

  // Everything that the request can be refused for has been looked at.
  await endHintedLogin(server, logout, log);
  return target === undefined
    ? signedOutPage(c, client?.client_name)
    : redirect(c, target);
}

function tooLong(what: string): OAuthError {
  return new OAuthError("logout_request_too_long", {
    subject: `${what} more than ${MAX_URL_CHARACTERS} characters`,
  });
}

function signedOutPage(c: Context<AppEnv>, name = "the app") {
  return page(
    c,
    "You are signed out",
    html`<p>
        You are signed out of ${name}. The page where you sign in may still
        remember you, and then it does not ask for your password next time.
      </p>
      <p>You can close this page.</p>`,
  );
}
