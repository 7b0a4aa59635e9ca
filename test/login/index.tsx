/** @jsxImportSource hono/jsx */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Child } from "hono/jsx";
import {
  NONCE,
  secureHeaders,
  type SecureHeadersVariables,
} from "hono/secure-headers";
// Types alone: nothing of Baton's code comes along.
import type { Login, Refusal } from "../../src/rpc.ts";
import { Page, SignInForm, type SignInProps } from "./pages.tsx";
import { authenticate } from "./users.ts";

/**
 * A login for Baton. `GET /authorize` there sends the browser here, with one parameter that only Baton
 * can open: `request`. This Worker asks Baton what it means, signs the person in, asks whether they
 * allow it, tells Baton, and sends the browser to where Baton says.
 *
 * Whoever has a `request` can answer it, for half an hour: it is never logged.
 */
interface App {
  Bindings: { BATON: Service<typeof Login>; ATTEMPTS: RateLimit };
  Variables: SecureHeadersVariables;
}

/** Room for the longest request (16 KiB), all its scopes, a name and a password. */
const MAX_BYTES = 64 * 1024;

const app = new Hono<App>();

app.use(
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      styleSrc: [NONCE],
      baseUri: ["'none'"],
      // Nobody has people click on this page inside of their own (RFC 9700 section 4.16). There is no
      // form-action: browsers hold the redirect behind a form to it as well, and that goes to the app.
      frameAncestors: ["'none'"],
    },
    xFrameOptions: "DENY",
    // The request is in the page's address.
    referrerPolicy: "no-referrer",
    // An app may have opened this page in a pop-up, and waits for it to come back.
    crossOriginOpenerPolicy: false,
  }),
  async function noStore(c, next) {
    await next();
    c.header("Cache-Control", "no-store");
  },
);

app.get("/", async (c) => {
  const request = c.req.query("request") ?? "";
  const asked = await c.env.BATON.describeAuthorization(request);
  if ("error" in asked) return refused(c, asked);
  const username = asked.login_hint ?? "";
  return signIn(c, { request, asked, username });
});

/**
 * No CSRF token: nobody stays signed in here. The name and the password come with the decision, so a
 * form that another site makes can only hold that site's own, and the app, which knows its `state`,
 * refuses what comes of it. A login that remembers people, by a cookie, does need a token: else any
 * site can press "Allow" for them.
 */
app.post(
  "/",
  bodyLimit({ maxSize: MAX_BYTES, onError: (c) => canNotGoOn(c, 413) }),
  async (c) => {
    const { BATON, ATTEMPTS } = c.env;
    const bytes = await c.req.arrayBuffer();
    const form = new URLSearchParams(new TextDecoder().decode(bytes));
    const request = form.get("request") ?? "";
    if (form.get("answer") !== "allow") {
      const error = "access_denied";
      return leave(c, await BATON.decideAuthorization({ request, error }));
    }

    const username = form.get("username") ?? "";
    const password = form.get("password") ?? "";
    const ticked = form.getAll("scope");
    const key = c.req.header("CF-Connecting-IP") ?? "";
    const { success: mayTry } = await ATTEMPTS.limit({ key });
    const subject = mayTry && (await authenticate(username, password));
    if (!subject) {
      const asked = await BATON.describeAuthorization(request);
      if ("error" in asked) return refused(c, asked);
      const problem = mayTry
        ? "The user name or the password is wrong."
        : "Too many attempts. Try again in a minute.";
      const again = { request, asked, username, ticked, problem };
      return signIn(c, again, mayTry ? 403 : 429);
    }

    const scope = ticked.join(" ");
    const decision = { request, subject, scope };
    return leave(c, await BATON.decideAuthorization(decision));
  },
);

app.notFound((c) => canNotGoOn(c, 404));

app.onError((error, c) => {
  console.error(error);
  return canNotGoOn(c, 500);
});

/** Back to the app. By 303, so that the browser does not send it the form (RFC 9700 section 4.12). */
function leave(c: Context<App>, decided: { redirect_to: string } | Refusal) {
  if ("error" in decided) return refused(c, decided);
  return c.redirect(decided.redirect_to, 303);
}

function signIn(
  c: Context<App>,
  props: SignInProps,
  status: 200 | 403 | 429 = 200,
) {
  const { client_id, client_name = client_id } = props.asked;
  return page(
    c,
    `Sign in to ${client_name}`,
    <SignInForm {...props} />,
    status,
  );
}

/** A request that has expired or that Baton did not make, or else trouble of Baton's own. */
function refused(c: Context<App>, { error, error_description }: Refusal) {
  // For who runs the login; it holds nothing of the request.
  console.error(JSON.stringify({ error, error_description }));
  const isRequest = [
    "invalid_request",
    "invalid_scope",
    "invalid_target",
  ].includes(error);
  return canNotGoOn(c, isRequest ? 400 : 503);
}

type StopStatus = 400 | 404 | 413 | 500 | 503;

function canNotGoOn(c: Context<App>, status: StopStatus) {
  const isRequest = status < 500;
  return page(
    c,
    isRequest ? "This sign-in cannot go on" : "Sign-in does not work right now",
    <p>
      {isRequest
        ? "It has taken too long, or its address was changed on the way."
        : "It is not your fault. Wait a moment."}{" "}
      Go back to the app that you came from and start again there.
    </p>,
    status,
  );
}

function page(
  c: Context<App>,
  title: string,
  content: Child,
  status: StopStatus | 200 | 403 | 429,
) {
  const nonce = c.get("secureHeadersNonce") ?? "";
  return c.html(
    <Page title={title} nonce={nonce}>
      {content}
    </Page>,
    status,
  );
}

export default app;
