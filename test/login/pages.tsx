/** @jsxImportSource hono/jsx */
import { html } from "hono/html";
import type { PropsWithChildren } from "hono/jsx";
import type { AuthorizationDescription } from "../../src/oauth/authorization/describe.ts";

/** The pages that people see. They have no scripts, and JSX escapes every value in them. */

const style = `
:root { color-scheme: light dark }
body { max-width: 26rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
label { display: block; margin: .5rem 0 }
input:not([type=checkbox]) { display: block; width: 100%; box-sizing: border-box }
input, button { font: inherit; padding: .4rem }
button { margin: 1rem 1rem 0 0; padding: .4rem 1.5rem }
[role=alert] { font-weight: bold }
`;

type PageProps = PropsWithChildren<{ title: string; nonce: string }>;

export function Page({ title, nonce, children }: PageProps) {
  return html`<!doctype html>${(
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="robots" content="noindex" />
          <title>{title}</title>
          <style nonce={nonce}>{style}</style>
        </head>
        <body>
          <h1>{title}</h1>
          {children}
        </body>
      </html>
    )}`;
}

export interface SignInProps {
  /** The `request` parameter that the browser brought. The form sends it back. */
  request: string;
  /** Baton's description of the request. */
  description: AuthorizationDescription;
  username: string;
  /** The scopes that the person ticked. Left out: all. */
  ticked?: string[];
  problem?: string;
}

export function SignInForm(props: SignInProps) {
  const { request, description, username, ticked, problem } = props;
  const {
    client_id,
    client_name = client_id,
    redirect_uri,
    scopes,
  } = description;
  return (
    <form method="post" action="/">
      <input type="hidden" name="request" value={request} />
      {problem && <p role="alert">{problem}</p>}
      <label>
        User name
        <input
          name="username"
          value={username}
          autocomplete="username"
          autocapitalize="none"
          required
        />
      </label>
      <label>
        Password
        <input
          name="password"
          type="password"
          autocomplete="current-password"
          required
        />
      </label>
      <fieldset>
        <legend>{client_name} asks to</legend>
        {scopes.map(({ scope, description: text }) => (
          <label>
            <input
              type="checkbox"
              name="scope"
              value={scope}
              checked={ticked?.includes(scope) ?? true}
            />{" "}
            {text}
          </label>
        ))}
        {scopes.length === 0 && <p>know who you are, and nothing else</p>}
      </fieldset>
      <button name="answer" value="allow">
        Allow
      </button>
      <button name="answer" value="deny" formnovalidate>
        Deny
      </button>
      <p>Either way you go back to {destination(redirect_uri)}.</p>
    </form>
  );
}

/** The part of a redirect URI that names its owner: the host, or the scheme of an app with its own scheme. */
function destination(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri);
  return host || protocol;
}
