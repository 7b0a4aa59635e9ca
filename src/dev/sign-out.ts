import { html } from "hono/html";
import { type Endpoint, now, redirect } from "../endpoints/endpoint.ts";
import { page, refusalPage } from "../endpoints/page.ts";
import { decideLogout } from "../oauth/logout/end-session.ts";

/** The path of the page. */
const PATH = "/dev/logout";

/**
 * The development sign-out page: `LOGOUT_URL` of a local server. Nobody stays signed in at the development sign-in, so
 * there is nothing to end or to ask, and the browser goes on at once.
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
    const { redirect_to } = await decideLogout(server, { request }, now(), log);
    if (redirect_to !== undefined) return redirect(c, redirect_to);
    return page(
      c,
      "You are signed out",
      html`<p>
        This development server remembers nobody. You can close this page.
      </p>`,
    );
  },
};
