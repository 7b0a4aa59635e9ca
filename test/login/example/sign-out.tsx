/** @jsxImportSource hono/jsx */
import { type Context, Hono } from "hono";
import type { EndedSession } from "./baton.ts";
import type { App } from "./app.ts";
import { AccountPage, SignOutPage } from "./pages.tsx";
import {
  AccountLink,
  formPage,
  messagePage,
  redirect,
  refusalPage,
} from "./responses.tsx";
import { endSession } from "./session.ts";
import { showSignIn } from "./sign-in.tsx";

/** The account of a person, and the end of their session: by themselves, or because an app asks (LOGOUT_URL). */
export const signOut = new Hono<App>();

/** The page of somebody who has not come from an app. */
signOut.get("/account", (c) => {
  const { session, user } = c.var;
  if (!user) return showSignIn(c, { username: "" });
  const content = <AccountPage csrf={session.csrf} user={user} />;
  return formPage(c, `Signed in as ${user.profile.name}`, content);
});

/** Ends the session here. Baton is not asked, so the apps go on until somebody signs out there. */
signOut.post("/account/sign-out", (c) => {
  endSession(c);
  return signedOutPage(c, "Apps that you have opened may still be signed in.");
});

/**
 * An app has sent the browser to Baton's `end_session_endpoint`, and Baton sends it here. Only an ID token of this
 * very session proves that the app may sign the person out. Otherwise any site could do so, and the person is asked.
 */
signOut.get("/sign-out", async (c) => {
  const request = c.req.query("request") ?? "";
  const asked = await c.env.BATON.describeLogout(request);
  if ("error" in asked) return refusalPage(c, asked, "sign-out");
  const { session, user } = c.var;
  const { csrf, id: sid } = session;
  if (!user) return finish(c, { request });
  if (asked.is_confirmed && asked.subject === user.sub && asked.sid === sid)
    return finish(c, { request, subject: user.sub, sid });
  const content = <SignOutPage {...{ csrf, request, asked, user }} />;
  return formPage(c, "Sign out of all apps?", content);
});

signOut.post("/sign-out", (c) => {
  const { form, session, user } = c.var;
  const request = form.get("request") ?? "";
  if (user && form.get("answer") === "stay") return stay(c, request, user.sub);
  const ended = user ? { subject: user.sub, sid: session.id } : {};
  return finish(c, { request, ...ended });
});

/** Ends the session, and at Baton the logins of all apps that began in it. Sends the browser back to the app. */
async function finish(c: Context<App>, ended: EndedSession) {
  const decided = await c.env.BATON.decideLogout(ended);
  // The session goes on if Baton fails, so that the person can try again.
  if ("error" in decided) return refusalPage(c, decided, "sign-out");
  endSession(c);
  const { redirect_to } = decided;
  return redirect_to === undefined
    ? signedOutPage(c, "You can close this page.")
    : redirect(c, redirect_to);
}

/** Sends the browser back to the app. The session goes on, and so do the logins of other apps. */
async function stay(c: Context<App>, request: string, subject: string) {
  // No session has this id, so nothing ends. Without an id Baton would end the session of the app's ID token.
  const sid = crypto.randomUUID();
  const decided = await c.env.BATON.decideLogout({ request, subject, sid });
  if ("error" in decided) return refusalPage(c, decided, "sign-out");
  if (decided.redirect_to !== undefined)
    return redirect(c, decided.redirect_to);
  return messagePage(
    c,
    "You are still signed in",
    <>
      <p>Your session here goes on, and so do the apps that you use with it.</p>
      <AccountLink />
    </>,
  );
}

function signedOutPage(c: Context<App>, words: string) {
  return messagePage(c, "You are signed out", <p>{words}</p>);
}
