import type { Context } from "hono";
import { longestCode } from "../oauth/authorization/code.ts";
import { placeToWithhold } from "../oauth/authorization/open-redirect.ts";
import { findRedirectTarget } from "../oauth/authorization/redirect-target.ts";
import {
  checkAuthorizationRequest,
  encryptAuthorizationRequest,
} from "../oauth/authorization/request.ts";
import {
  authorizationResponse,
  MAX_URL_CHARACTERS,
} from "../oauth/authorization/response.ts";
import { readState } from "../oauth/authorization/state.ts";
import { OAuthError } from "../oauth/errors.ts";
import { OPENID } from "../oauth/openid/scopes.ts";
import { Parameters } from "../oauth/parameters.ts";
import { withParameters } from "../oauth/redirect-uri.ts";
import { scopeSet } from "../oauth/scope.ts";
import { type AppEnv, networkOf, now, redirect } from "./endpoint.ts";
import { queryOf } from "./query.ts";

/**
 * The longest query or body, in characters as it came and as a form encodes it. It is bounded because `state` returns
 * to the client in a URL.
 */
const MAX_QUERY_CHARACTERS = 4096;
/**
 * The longest `id_token_hint`, in characters. It is not counted as a part of the query, because it goes no further and
 * because an ID token with many claims has 3,000 characters.
 */
const MAX_HINT_CHARACTERS = 4096;

/** Checks an authorization request, and redirects the browser to the sign-in page. */
export async function answerAuthorization(
  c: Context<AppEnv>,
): Promise<Response> {
  const { log } = c.var;
  const server = await c.var.server();
  const query = await queryOf(c);
  const search = new URLSearchParams(`?${query}`);
  const characters =
    Math.max(query.length, search.toString().length) -
    Math.min(hintIn(search).length, MAX_HINT_CHARACTERS);
  if (characters > MAX_QUERY_CHARACTERS)
    throw tooLong(
      `its parameters have more than ${MAX_QUERY_CHARACTERS} characters`,
    );
  const parameters = new Parameters(search);
  log.begin("client");
  const target = {
    ...(await findRedirectTarget(server, parameters, networkOf(c))),
    ...readState(query),
  };
  log.fields.client_id = target.client.client_id;
  const withheld = placeToWithhold(target);
  // Client and redirect URI are certain now, so every further refusal goes to the client by redirect.
  if (withheld === undefined)
    c.set("errorRedirect", (error) =>
      authorizationResponse(server, target, { ...error }),
    );
  else c.set("withheld", withheld);

  log.begin("scopes");
  const request = await checkAuthorizationRequest(
    server,
    target,
    parameters,
    log,
  );
  log.begin("encrypt");
  const time = now();
  const encrypted = await encryptAuthorizationRequest(server, request, time);
  const login = withParameters(server.settings.login_url!, {
    request: encrypted,
  });
  if (login.length > MAX_URL_CHARACTERS)
    throw tooLong(
      `encrypted for the sign-in page, its URL has more than ${MAX_URL_CHARACTERS} characters`,
    );
  // Checked before the user signs in, because nothing could be done about it afterwards.
  const code = "x".repeat(longestCode(server, request, time));
  const back = authorizationResponse(server, request, { code });
  if (back.length > MAX_URL_CHARACTERS)
    throw tooLong(
      `with the code, the URL back to the client may have more than ${MAX_URL_CHARACTERS} characters`,
    );
  return redirect(c, login);
}

/** Returns the `id_token_hint` of a request that asks for `openid`. Others have none, so they have no room for it. */
function hintIn(search: URLSearchParams): string {
  const isOpenId = scopeSet(search.get("scope") ?? "").includes(OPENID);
  return (isOpenId && search.get("id_token_hint")) || "";
}

function tooLong(subject: string): OAuthError {
  return new OAuthError("authorization_request_too_long", { subject });
}
