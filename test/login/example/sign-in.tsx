/** @jsxImportSource hono/jsx */
import { type Context, Hono } from "hono";
import type { Decision } from "./baton.ts";
import { type App, now } from "./app.ts";
import { nextStep, silentErrors } from "./next-step.ts";
import {
  ChooseAccountPage,
  ConsentPage,
  SignInPage,
  signInTitle,
  type SignInProps,
} from "./pages.tsx";
import { formPage, redirect, refusalPage } from "./responses.tsx";
import {
  hasSignedInFor,
  newSession,
  newSessionOf,
  withConsent,
  writeSession,
} from "./session.ts";
import { nameOf } from "./stranger.tsx";
import { authenticate } from "./users.ts";

/** The sign-in. Each form leads to the next page, until there is nothing left to ask and Baton gets the decision. */
export const signIn = new Hono<App>();

/** Authentication Context Class Reference: a password alone, in the words of your own choice. */
const ACR = "urn:example:password";

/** Baton sends the browser here (LOGIN_URL). A person who types the address gets their account. */
signIn.get("/", async (c) => {
  const { request = "" } = c.req.query();
  return request === "" ? redirect(c, pathOf("")) : goOn(c, request);
});

signIn.post("/sign-in", async (c) => {
  const { form } = c.var;
  const request = form.get("request") ?? "";
  if (form.get("answer") === "deny") return deny(c, request);

  const username = form.get("username") ?? "";
  const password = form.get("password") ?? "";
  const key = c.req.header("CF-Connecting-IP") ?? "";
  const { success: mayTry } = await c.env.ATTEMPTS.limit({ key });
  const user = mayTry && (await authenticate(username, password));
  if (user) {
    const session = await newSessionOf(user.sub, request, c.var.session);
    await writeSession(c, session);
    return redirect(c, pathOf(request));
  }
  const problem = mayTry
    ? "The user name or the password is wrong."
    : "Too many attempts. Try again in a minute.";
  const values = { username, problem, status: mayTry ? 403 : 429 } as const;
  if (request === "") return showSignIn(c, values);
  const asked = await c.env.BATON.describeAuthorization(request);
  if ("error" in asked) return refusalPage(c, asked);
  return showSignIn(c, { request, asked, ...values });
});

signIn.post("/account", (c) =>
  goOn(c, c.var.form.get("request") ?? "", { hasChosen: true }),
);

signIn.post("/switch", async (c) => {
  await writeSession(c, newSession());
  return redirect(c, pathOf(c.var.form.get("request") ?? ""));
});

signIn.post("/consent", (c) => {
  const { form } = c.var;
  const request = form.get("request") ?? "";
  if (form.get("answer") !== "allow") return deny(c, request);
  return goOn(c, request, { hasChosen: true, allowed: form.getAll("scope") });
});

/** Returns the path at which a sign-in or a sign-out starts again. */
export function pathOf(request: string, start: "/" | "/sign-out" = "/") {
  const query = new URLSearchParams({ request });
  return request === "" ? "/account" : `${start}?${query.toString()}`;
}

/**
 * Goes on with a sign-in: shows its next page, or decides it.
 *
 * @param allowed the scopes that the person has just allowed
 */
async function goOn(
  c: Context<App>,
  request: string,
  {
    hasChosen = false,
    allowed,
  }: { hasChosen?: boolean; allowed?: string[] } = {},
) {
  const asked = await c.env.BATON.describeAuthorization(request);
  if ("error" in asked) return refusalPage(c, asked);
  const { session, user } = c.var;
  const { csrf } = session;
  const step = nextStep(asked, {
    session,
    user,
    hasSignedIn: await hasSignedInFor(request, session),
    hasChosen,
    isLocal: c.req.url.startsWith("http:"),
    now: now(),
  });
  if (step !== undefined && asked.prompt === "none")
    return decide(c, { request, error: silentErrors[step] });

  if (!user || step === "sign-in") {
    const username = asked.hinted_subject ?? asked.login_hint ?? "";
    return showSignIn(c, { request, asked, username });
  }
  if (step === "choose-account") {
    const content = <ChooseAccountPage {...{ csrf, request, asked, user }} />;
    return formPage(c, "Choose an account", content);
  }
  if (step === "consent" && !allowed) return showConsent(c, request, user.sub);
  if (allowed) await writeSession(c, withConsent(session, asked, allowed));
  const scopes = allowed ?? asked.scopes.map(({ scope }) => scope);
  return decide(c, {
    request,
    subject: user.sub,
    scope: scopes.join(" "),
    // Here the person has agreed on the page, now or before in this session.
    ...(asked.needs_consent && { consent: true }),
    sid: session.id,
    auth_time: user.auth_time,
    acr: ACR,
    amr: ["pwd"],
    claims: { roles: user.roles },
    id_token_claims: user.profile,
  });
}

/** Asks for consent. Baton is asked once more, for what the person has allowed this app before. */
async function showConsent(c: Context<App>, request: string, subject: string) {
  const asked = await c.env.BATON.describeAuthorization(request, { subject });
  if ("error" in asked) return refusalPage(c, asked);
  const { session, user } = c.var;
  if (!user) return showSignIn(c, { request, asked, username: "" });
  const { csrf } = session;
  const content = <ConsentPage {...{ csrf, request, asked, user }} />;
  return formPage(c, `Allow ${nameOf(asked)}?`, content);
}

/** Tells Baton the decision, and sends the browser back to the app. */
async function decide(c: Context<App>, decision: Decision) {
  const decided = await c.env.BATON.decideAuthorization(decision);
  if ("error" in decided) return refusalPage(c, decided);
  return redirect(c, decided.redirect_to);
}

function deny(c: Context<App>, request: string) {
  return decide(c, { request, error: "access_denied" });
}

/** Shows the form for name and password. The account page shows it without an app. */
export function showSignIn(
  c: Context<App>,
  {
    status = 200,
    ...values
  }: Omit<SignInProps, "csrf"> & { status?: 200 | 403 | 429 },
) {
  const { csrf } = c.var.session;
  const content = <SignInPage csrf={csrf} {...values} />;
  return formPage(c, signInTitle(values.asked), content, status);
}
