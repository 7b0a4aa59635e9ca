import type { AuthorizationDescription } from "../oauth/authorization/describe.ts";

/** What a person sees of the development sign-in. Everything that is put in is escaped by JSX. */

/** Where the form goes. */
export const PATH = "/dev/login";

export interface View {
  request: string;
  asked: AuthorizationDescription;
  subject: string;
  /** The scopes that are ticked; left out: all of them. */
  chosen?: string[];
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

/** For who opens the page by hand. */
export function StartElsewhere() {
  return (
    <p>
      Nothing has led you here. An app sends its users to{" "}
      <code>/authorize</code>, and that sends them to this page.
    </p>
  );
}

export function SignInForm({
  name,
  request,
  asked,
  subject,
  chosen,
  problem,
}: View & { name: string }) {
  return (
    <>
      <p>
        <strong>{name}</strong> wants to know who you are. This is the sign-in
        of a development server: type any name, and that is who you are.
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
        {asked.scopes.length > 0 && (
          <fieldset>
            <legend>{name} asks to</legend>
            {asked.scopes.map(({ scope, description }) => (
              <label>
                <input
                  type="checkbox"
                  name="scope"
                  value={scope}
                  checked={chosen?.includes(scope) ?? true}
                />
                <span>
                  {description} <code>{scope}</code>
                </span>
              </label>
            ))}
          </fieldset>
        )}
        {asked.resource.length > 0 && (
          <p class="back">
            For the use of <code>{asked.resource.join(", ")}</code>
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
        Either way you go back to <code>{destination(asked.redirect_uri)}</code>
      </p>
    </>
  );
}

/** The part of a redirect URI that says whose it is; an app's own scheme has nothing else. */
function destination(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri);
  return host === "" ? protocol : host;
}
