import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { NONCE, secureHeaders } from "hono/secure-headers";
import type { App } from "./app.ts";
import { errorPage, faultPage, outdatedPage } from "./responses.tsx";
import { hasCsrfToken, readSession } from "./session.ts";
import { pathOf, signIn } from "./sign-in.tsx";
import { signOut } from "./sign-out.tsx";
import { findUser } from "./users.ts";

/**
 * A login for Baton. Baton's `GET /authorize` sends the browser here with one parameter, `request`, which only Baton
 * can decrypt. This Worker asks Baton to describe the request, signs the person in, asks for their consent, tells
 * Baton the decision, and sends the browser where Baton says.
 *
 * Anybody who has a `request` can answer it for half an hour, so it is never logged.
 */
const app = new Hono<App>();

/** Enough for the longest request (16 KiB), all its scopes, a name and a password. */
const MAX_BYTES = 64 * 1024;

app.use(
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: [NONCE],
      baseUri: ["'none'"],
      // Other sites can't frame this page and trick people into clicks (RFC 9700 section 4.16). form-action
      // is not set, because browsers also apply it to the redirect after a form, which goes to the app.
      frameAncestors: ["'none'"],
    },
    xFrameOptions: "DENY",
    // The page's address contains the request.
    referrerPolicy: "no-referrer",
    // An app may have opened this page in a pop-up, and must keep its connection to the pop-up.
    crossOriginOpenerPolicy: false,
  }),
  async function noStore(c, next) {
    await next();
    c.header("Cache-Control", "no-store");
  },
  async function httpsOnly(c, next) {
    const url = new URL(c.req.url);
    const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
    if (url.protocol === "https:" || isLocal) return next();
    if (c.req.method !== "GET") return errorPage(c, 400);
    return c.redirect(url.href.replace("http:", "https:"), 308);
  },
  async function session(c, next) {
    const session = await readSession(c);
    const { sub, auth_time } = session.user ?? {};
    const user = sub === undefined ? undefined : await findUser(sub);
    c.set("session", session);
    c.set("user", user && { ...user, auth_time });
    return next();
  },
);

app.post(
  "*",
  bodyLimit({ maxSize: MAX_BYTES, onError: (c) => errorPage(c, 413) }),
  async function csrf(c, next) {
    // With text() the platform warns that a form is no text.
    const text = new TextDecoder().decode(await c.req.arrayBuffer());
    const form = new URLSearchParams(text);
    if (!(await hasCsrfToken(form, c.var.session))) {
      const start = c.req.path === "/sign-out" ? "/sign-out" : "/";
      return outdatedPage(c, pathOf(form.get("request") ?? "", start));
    }
    c.set("form", form);
    return next();
  },
);

app.route("/", signIn);
app.route("/", signOut);

app.notFound((c) => errorPage(c, 404));

app.onError((error, c) => {
  console.error(error);
  return faultPage(c, 500);
});

export default app;
