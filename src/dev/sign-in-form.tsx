import type { AuthorizationDescription } from "../oauth/authorization/describe.ts";

/** The content of the development sign-in page. JSX escapes every value. */

/** The path of the page and of its form. */
export const PATH = "/dev/login";

/** The values that the form shows. */
export interface FormValues {
  /** The encrypted authorization request. */
  request: string;
  description: AuthorizationDescription;
  subject: string;
  /** The scopes whose boxes are checked. Left out: all. */
  checkedScopes?: string[];
  /** The problem of the name that was typed. */
  problem?: string;
}

export const style = `
label.name { display: block; font-weight: 600; margin-bottom: .35rem }
input[type=text] { width: 100%; padding: .65rem .75rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--back); color: inherit; font: inherit }
.problem { color: #b91c1c; margin: .35rem 0 0 }
@media (prefers-color-scheme: dark) { .problem { color: #fca5a5 } }
fieldset { margin: 1.5rem 0 0; padding: 0; border: 0 }
legend { padding: 0; font-weight: 600 }
fieldset label { display: flex; gap: .75rem; align-items: baseline; padding: .5rem 0 }
fieldset input { flex: none; width: 1.1rem; height: 1.1rem; translate: 0 .15rem; accent-color: var(--accent) }
code { color: var(--muted); font-size: .875rem }
.answers { display: flex; gap: .75rem; margin-top: 1.5rem }
button { flex: 1; padding: .75rem; border: 1px solid var(--line); border-radius: .5rem; background: none; color: inherit; font: inherit; font-weight: 600; cursor: pointer }
button.allow { background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.back { margin: 1.25rem 0 0; color: var(--muted); font-size: .875rem }
`;

/** Shown to a person who opens the page without an authorization request. */
export function StartAtApp() {
  return (
    <p>
      This page needs an authorization request, and there is none in its URL.
      Open your app and sign in there: it sends you to <code>/authorize</code>,
      which brings you here.
    </p>
  );
}

export function SignInForm({
  name,
  request,
  description,
  subject,
  checkedScopes,
  problem,
}: FormValues & { name: string }) {
  return (
    <>
      <p>
        <strong>{name}</strong> asks you to sign in. This development server has
        no passwords: sign in with any name.
      </p>
      <form method="post" action={PATH}>
        <input type="hidden" name="request" value={request} />
        <label class="name" for="subject">
          Your name
        </label>
        <input
          type="text"
          id="subject"
          name="subject"
          value={subject}
          placeholder="alice"
          maxlength={255}
          required
          autofocus
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby={problem === undefined ? undefined : "problem"}
        />
        {problem !== undefined && (
          <p class="problem" id="problem" role="alert">
            {problem}
          </p>
        )}
        {description.scopes.length > 0 && (
          <fieldset>
            <legend>{name} asks to</legend>
            {description.scopes.map((scope) => (
              <label>
                <input
                  type="checkbox"
                  name="scope"
                  value={scope.scope}
                  checked={checkedScopes?.includes(scope.scope) ?? true}
                />
                <span>
                  {scope.description} <code>{scope.scope}</code>
                </span>
              </label>
            ))}
          </fieldset>
        )}
        {description.resource.length > 0 && (
          <p class="back">
            This access is for <code>{description.resource.join(", ")}</code>
          </p>
        )}
        <div class="answers">
          <button class="allow" name="answer" value="allow">
            Allow
          </button>
          <button name="answer" value="deny" formnovalidate>
            Deny
          </button>
        </div>
      </form>
      <p class="back">
        Both buttons take you back to{" "}
        <code>{displayHost(description.redirect_uri)}</code>
      </p>
    </>
  );
}

/** Returns the part of a redirect URI that shows its owner: the host, or an app's own scheme. */
function displayHost(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri);
  return host === "" ? protocol : host;
}
