/** @jsxImportSource hono/jsx */
import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { Refusal } from "./baton.ts";
import type { App } from "./app.ts";
import { Message, Page } from "./pages.tsx";
import { writeSession } from "./session.ts";

/** The responses that the routes share. */

type Status = 200 | 400 | 403 | 404 | 413 | 429 | 500 | 503;

function page(c: Context<App>, title: string, content: Child, status: Status) {
  const nonce = c.get("secureHeadersNonce") ?? "";
  return c.html(
    <Page title={title} nonce={nonce}>
      {content}
    </Page>,
    status,
  );
}

/** Answers with a page that has forms, and with the cookie of the session, which has their CSRF token. */
export async function formPage(
  c: Context<App>,
  title: string,
  content: Child,
  status: Status = 200,
) {
  await writeSession(c, c.var.session);
  return page(c, title, content, status);
}

/** Answers with a page that has a few words and no form. */
export function messagePage(
  c: Context<App>,
  title: string,
  content: Child,
  status: Status = 200,
) {
  return page(c, title, <Message title={title}>{content}</Message>, status);
}

/** Redirects with status 303, so that the browser does not send the form again (RFC 9700 section 4.12). */
export function redirect(c: Context<App>, to: string) {
  return c.redirect(to, 303);
}

type Aim = "sign-in" | "sign-out";

/** The page for a refusal by Baton: a request that expired or was altered, or a fault in Baton. */
export function refusalPage(
  c: Context<App>,
  { error, error_description }: Refusal,
  aim: Aim = "sign-in",
) {
  // For the operator of this page. The refusal contains nothing of the request.
  console.error(JSON.stringify({ error, error_description }));
  const isRequest = [
    "invalid_request",
    "invalid_scope",
    "invalid_target",
  ].includes(error);
  if (!isRequest) return faultPage(c, 503, aim);
  const words = "It has taken too long, or its address was changed.";
  const content = <p>{`${words} ${START_AGAIN}`}</p>;
  return messagePage(c, `This ${aim} cannot go on`, content, 400);
}

const START_AGAIN =
  "Go back to the app that you came from, and start again there.";

/** The page for a fault of this Worker, or of Baton. */
export function faultPage(
  c: Context<App>,
  status: 500 | 503,
  aim: Aim = "sign-in",
) {
  const what = aim === "sign-in" ? "Sign-in" : "Sign-out";
  const words = "This is not your fault. Wait a moment.";
  const content = <p>{`${words} ${START_AGAIN}`}</p>;
  return messagePage(c, `${what} does not work right now`, content, status);
}

const problems = {
  400: ["This page needs https", "Nothing was sent on."],
  404: ["There is no such page", "Its address is wrong."],
  413: ["This form is too large", "Nothing was done."],
} as const;

/** The page for a browser that has sent what no page of this Worker sends. */
export function errorPage(c: Context<App>, status: keyof typeof problems) {
  const [title, words] = problems[status];
  return messagePage(
    c,
    title,
    <>
      <p>{words}</p>
      <AccountLink />
    </>,
    status,
  );
}

/** The way on for a person who has not come from an app. */
export function AccountLink() {
  return (
    <p class="buttons">
      <a class="button" href="/account">
        Your account
      </a>
    </p>
  );
}

/** The page for a form without the CSRF token of the session. Nothing was done. */
export function outdatedPage(c: Context<App>, again: string) {
  return messagePage(
    c,
    "This page is out of date",
    <>
      <p>
        You have signed in or out in another tab, or your browser blocks the
        cookies of this page.
      </p>
      <p class="buttons">
        <a class="button main" href={again}>
          Try again
        </a>
      </p>
    </>,
    403,
  );
}
