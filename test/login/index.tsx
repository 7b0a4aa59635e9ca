/** @jsxImportSource hono/jsx */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Child } from "hono/jsx";
import {
  NONCE,
  secureHeaders,
  type SecureHeadersVariables,
} from "hono/secure-headers";
// Only types are imported, so that none of Baton's code becomes part of this Worker.
import type { LoginService, Refusal } from "../../src/rpc/types.ts";
import { Page, SignInForm, type SignInProps } from "./pages.tsx";
import { authenticate } from "./users.ts";

/**
 * A sign-in page for Baton. Baton's `GET /authorize` sends the browser here with one parameter, `request`,
 * which only Baton can decrypt. This Worker asks Baton to describe the request, signs the person in, asks for
 * their consent, tells Baton the decision, and sends the browser where Baton says.
 *
 * Anybody who has a `request` can answer it for half an hour, so it is never logged.
 */
interface App {
  Bindings: { BATON: LoginService; ATTEMPTS: RateLimit };
  Variables: SecureHeadersVariables;
}

/** Enough for the longest request (16 KiB), all its scopes, a name and a password. */
const MAX_BYTES = 64 * 1024;

const app = new Hono<App>();

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
);

app.get("/", async (c) => {
  const request = c.req.query("request") ?? "";
  const description = await c.env.BATON.describeAuthorization(request);
  if ("error" in description) return renderRefusal(c, description);
  // The app allows no page, and nobody stays signed in here. Each other prompt gets what it asks for, because
  // the form always asks for the password and for consent.
  if (description.prompt === "none") {
    const decision = { request, error: "login_required" } as const;
    return redirectToApp(c, await c.env.BATON.decideAuthorization(decision));
  }
  const username = description.login_hint ?? "";
  return signIn(c, { request, description, username });
});

/**
 * There is no CSRF token, because nobody stays signed in here. The name and the password come with the
 * decision, so a form from another site can only contain that site's own, and the app refuses the result because
 * it knows its `state`. A sign-in page that remembers people with a cookie needs a CSRF token. Without it, any
 * site could press "Allow" for them.
 */
app.post(
  "/",
  bodyLimit({ maxSize: MAX_BYTES, onError: (c) => errorPage(c, 413) }),
  async (c) => {
    const { BATON, ATTEMPTS } = c.env;
    const bytes = await c.req.arrayBuffer();
    const form = new URLSearchParams(new TextDecoder().decode(bytes));
    const request = form.get("request") ?? "";
    if (form.get("answer") !== "allow") {
      const error = "access_denied";
      return redirectToApp(
        c,
        await BATON.decideAuthorization({ request, error }),
      );
    }

    const username = form.get("username") ?? "";
    const password = form.get("password") ?? "";
    const ticked = form.getAll("scope");
    const key = c.req.header("CF-Connecting-IP") ?? "";
    const { success: mayTry } = await ATTEMPTS.limit({ key });
    const subject = mayTry && (await authenticate(username, password));
    if (!subject) {
      const description = await BATON.describeAuthorization(request);
      if ("error" in description) return renderRefusal(c, description);
      const problem = mayTry
        ? "The user name or the password is wrong."
        : "Too many attempts. Try again in a minute.";
      const again = { request, description, username, ticked, problem };
      return signIn(c, again, mayTry ? 403 : 429);
    }

    const scope = ticked.join(" ");
    const decision = { request, subject, scope };
    return redirectToApp(c, await BATON.decideAuthorization(decision));
  },
);

app.notFound((c) => errorPage(c, 404));

app.onError((error, c) => {
  console.error(error);
  return errorPage(c, 500);
});

/** Redirects to the app. Status 303, so that the browser does not send the form (RFC 9700 section 4.12). */
function redirectToApp(
  c: Context<App>,
  decided: { redirect_to: string } | Refusal,
) {
  if ("error" in decided) return renderRefusal(c, decided);
  return c.redirect(decided.redirect_to, 303);
}

function signIn(
  c: Context<App>,
  props: SignInProps,
  status: 200 | 403 | 429 = 200,
) {
  const { client_id, client_name = client_id } = props.description;
  return page(
    c,
    `Sign in to ${client_name}`,
    <SignInForm {...props} />,
    status,
  );
}

/** The page for a refusal by Baton: a request that expired or was altered, or a fault in Baton. */
function renderRefusal(c: Context<App>, { error, error_description }: Refusal) {
  // For the operator of this page. The refusal contains nothing of the request.
  console.error(JSON.stringify({ error, error_description }));
  const isRequest = [
    "invalid_request",
    "invalid_scope",
    "invalid_target",
  ].includes(error);
  return errorPage(c, isRequest ? 400 : 503);
}

type StopStatus = 400 | 404 | 413 | 500 | 503;

function errorPage(c: Context<App>, status: StopStatus) {
  const isRequest = status < 500;
  return page(
    c,
    isRequest ? "This sign-in cannot go on" : "Sign-in does not work right now",
    <p>
      {isRequest
        ? "It has taken too long, or its address was changed."
        : "This is not your fault. Wait a moment."}{" "}
      Go back to the app that you came from, and start again there.
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
