import type { Context } from "hono";
import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import type { OAuthError } from "../oauth/errors.ts";
import type { AppEnv } from "./endpoint.ts";

/** Pages for people, without scripts, images or anything from another server. */

/** The result of `html` and of JSX. */
type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Readable on a phone, in dark mode, and with a larger font. `test/login/example/style.ts` has the same look. */
const style = `
:root { color-scheme: light dark; --text: #16181d; --muted: #5a616e; --card: #fff; --back: #f2f4f7; --line: #dde1e7; --accent: #2350c8; --on-accent: #fff }
@media (prefers-color-scheme: dark) { :root { --text: #eceef2; --muted: #a7afbc; --card: #1a1d23; --back: #101216; --line: #333944; --accent: #9db8ff; --on-accent: #0d1530 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem 1rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; box-shadow: 0 .5rem 1.5rem rgb(0 0 0 / .06) }
@media (max-width: 30rem) {
  body { place-items: stretch; padding: 0; background: var(--card) }
  main { padding: 2rem 1.25rem; border: 0; border-radius: 0; box-shadow: none }
}
h1 { margin: 0; font-size: 1.5rem; font-weight: 650; line-height: 1.25; letter-spacing: -.015em }
p { margin: .75rem 0 0 }
a { color: var(--accent) }
dl { margin: 1.5rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--muted); font-size: .875rem }
dt { font-weight: 600 }
dd { margin: 0 0 .5rem }
dd:last-child { margin: 0 }
`;

/**
 * Renders a page. No site may show it in a frame (RFC 9700 section 4.16). The browser tells no site its URL,
 * which may have an encrypted authorization request in it.
 *
 * @param extraStyle CSS for this page alone
 */
export function page(
  c: Context<AppEnv>,
  title: string,
  content: Html,
  {
    status = 200,
    extraStyle = "",
  }: { status?: OAuthError["status"] | 200; extraStyle?: string } = {},
): Response | Promise<Response> {
  const nonce = crypto.randomUUID();
  c.header(
    "Content-Security-Policy",
    // No form-action: browsers apply it to the redirect after a form too, and that leads to the app.
    `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; frame-ancestors 'none'`,
  );
  c.header("X-Frame-Options", "DENY");
  c.header("Referrer-Policy", "no-referrer");
  return c.html(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="robots" content="noindex" />
          <title>${title}</title>
          <style nonce="${nonce}">
            ${raw(style + extraStyle)}
          </style>
        </head>
        <body>
          <main>
            <h1>${title}</h1>
            ${content}
          </main>
        </body>
      </html>`,
    status,
  );
}

/**
 * Renders a refusal: plain words for the person, and the standard error code for the app's developer.
 *
 * @param aim what the person was about to do
 */
export function refusalPage(
  c: Context<AppEnv>,
  refusal: OAuthError,
  aim: "sign-in" | "sign-out" = "sign-in",
): Response | Promise<Response> {
  const { status, person } = refusal;
  for (const [name, value] of Object.entries(refusal.details.headers ?? {}))
    c.header(name, value);
  const { error, error_description } = refusal.toJSON();
  const { title, words } = person ?? textFor(status, aim);
  const { withheld } = c.var;
  // Text and not a link, because a link is a way to the same website.
  const notSentOn =
    withheld === undefined
      ? ""
      : html`<p>
          You are not sent on to <strong>${withheld}</strong>, because this app
          has registered itself and nobody has checked it.
        </p>`;
  return page(
    c,
    title,
    html`<p>${words}</p>
      ${notSentOn}
      <dl>
        <dt>Error</dt>
        <dd>${error}</dd>
        <dt>Description</dt>
        <dd>${error_description}</dd>
        <dt>Request ID</dt>
        <dd>${c.var.requestId}</dd>
      </dl>`,
    { status },
  );
}

function textFor(
  status: number,
  aim: "sign-in" | "sign-out",
): { title: string; words: string } {
  if (aim === "sign-out" && status !== 404) return signOutText(status);
  if (status >= 500) {
    return {
      title: "Sign-in does not work right now",
      words:
        "The server has a problem. It is not your fault, and nothing in your account has changed. Wait a moment, then go back to the app and try again.",
    };
  }
  if (status === 404) {
    return {
      title: "This page does not exist",
      words: "Go back to the app that you came from.",
    };
  }
  return {
    title: "This sign-in cannot go on",
    words:
      "The app that sent you here made a request that the server cannot accept. It is not your fault, and nothing in your account has changed. Go back to the app and try again. If you see this page again, send the details below to the makers of the app.",
  };
}

/** The text of a refused sign-out. The server has ended nothing, and cannot tell whether there was a login to end. */
function signOutText(status: number): { title: string; words: string } {
  return {
    title: "Sign-out failed",
    words:
      status >= 500
        ? "You may still be signed in. The server has a problem. Wait a moment, then go back to the app and sign out again."
        : "You may still be signed in. The app that sent you here made a request that the server cannot accept. Go back to the app and sign out again. If you see this page again, send the details below to the makers of the app.",
  };
}
