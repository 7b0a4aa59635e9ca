import type { Context } from "hono";
import { html } from "hono/html";
import {
  type AppEnv,
  type Endpoint,
  now,
  redirect,
} from "../endpoints/endpoint.ts";
import { page, refusalPage } from "../endpoints/page.ts";
import { decideLogout, describeLogout } from "../oauth/logout/end-session.ts";

/** The path of the page. */
const PATH = "/dev/logout";

/**
 * The development sign-out page: `LOGOUT_URL` of a local server. Nobody stays signed in at the development sign-in, so
 * there is nothing to ask, and the browser goes on at once. Without an ID token nothing says whose login should end.
 */
export const signOutPage: Endpoint = {
  path: PATH,
  method: "GET",
  cors: false,
  // As the development sign-in page: a public server cannot have an issuer with plain http.
  isOn: ({ issuer, logout_url }) =>
    issuer.startsWith("http:") && logout_url === issuer + PATH,
  renderError: (c, refusal) => refusalPage(c, refusal, "sign-out"),

  async respond(c) {
    const server = await c.var.server();
    const { log } = c.var;
    const request = c.req.query("request") ?? "";
    const asked = await describeLogout(server, request, now(), log);
    const { redirect_to } = await decideLogout(server, { request }, now(), log);
    if (redirect_to !== undefined) return redirect(c, redirect_to);
    if (asked.subject === undefined) return nothingEnded(c);
    return page(
      c,
      "You are signed out",
      html`<p>
        This development server remembers nobody. You can close this page.
      </p>`,
    );
  },
};

function nothingEnded(c: Context<AppEnv>) {
  return page(
    c,
    "Nothing has ended",
    html`<p>
      The app has sent no ID token (<code>id_token_hint</code>) of a login that
      goes on, so this server does not know which login to end.
    </p>`,
  );
}
