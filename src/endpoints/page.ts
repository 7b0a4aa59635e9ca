import type { Context } from "hono";
import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import type { OAuthError } from "../oauth/errors.ts";
import type { AppEnv } from "./endpoint.ts";

/** Pages for people, without scripts, images or anything from another server. */

/** The result of `html` and of JSX. */
type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Readable on a phone, in dark mode, and with a larger font. */
const style = `
:root { color-scheme: light dark; --text: #1c1e21; --muted: #5b6068; --card: #fff; --back: #eef0f3; --line: #d4d8de; --accent: #1d4ed8; --on-accent: #fff }
@media (prefers-color-scheme: dark) { :root { --text: #eceef1; --muted: #a6acb5; --card: #1d2025; --back: #121417; --line: #3a3f47; --accent: #8fb0ff; --on-accent: #10131a } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 28rem; padding: 1.75rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; overflow-wrap: anywhere }
h1 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.25 }
p { margin: 0 0 1rem }
a { color: var(--accent) }
dl { margin: 1.25rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--muted); font-size: .875rem }
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
  return page(
    c,
    title,
    html`<p>${words}</p>
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
  if (status >= 500) {
    const isSignIn = aim === "sign-in";
    return {
      title: `${isSignIn ? "Sign-in" : "Sign-out"} does not work right now`,
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
    title: `This ${aim} cannot go on`,
    words:
      "The app that sent you here made a request that the server cannot accept. It is not your fault, and nothing in your account has changed. Go back to the app and try again. If you see this page again, send the details below to the makers of the app.",
  };
}
