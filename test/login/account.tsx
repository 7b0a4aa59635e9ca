/** @jsxImportSource hono/jsx */
import { Hono } from "hono";
import type { App } from "./app.ts";
import { AccountPage } from "./pages.tsx";
import { formPage, messagePage } from "./responses.tsx";
import { endSession } from "./session.ts";
import { showSignIn } from "./sign-in.tsx";

/** The page of somebody who has not come from an app. */
export const account = new Hono<App>();

account.get("/account", (c) => {
  const { session, user } = c.var;
  if (!user) return showSignIn(c, { username: "" });
  const content = <AccountPage csrf={session.csrf} user={user} />;
  return formPage(c, `Signed in as ${user.profile.name}`, content);
});

account.post("/sign-out", (c) => {
  endSession(c);
  return messagePage(c, "You are signed out", <p>You can close this page.</p>);
});
