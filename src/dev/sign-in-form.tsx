import type { JSX } from "hono/jsx";
import type { AuthorizationDescription } from "../oauth/authorization/describe.ts";

import { displayHost, StrangerFacts } from "./stranger.tsx";
import {
  type FieldName,
  MAX_CHARACTERS,
  type Problem,
} from "./sign-in-answer.ts";

/** The content of the development sign-in page. JSX escapes every value. */

/** The path of the page and of its form. */
export const PATH = "/dev/login";

/** The values that the form shows. */
export interface FormValues {
  /** The encrypted authorization request. */
  request: string;
  description: AuthorizationDescription;
  typed: Partial<Record<FieldName, string>>;
  /** The scopes whose boxes are checked. Left out: all. */
  checkedScopes?: string[];
  problem?: Problem | undefined;
}

/** The same look as the example login's, `test/login/example/style.ts`. */
export const style = `
:root { --field: #868e9b; --problem: #b3261e }
@media (prefers-color-scheme: dark) { :root { --field: #737c8b; --problem: #ffb4ab } }
main { display: flex; flex-direction: column }
.mark { order: -1; display: grid; place-items: center; width: 3rem; height: 3rem; margin-bottom: 1.25rem; border-radius: .875rem; background: color-mix(in srgb, var(--accent) 14%, transparent); color: var(--accent); font-size: 1.375rem; font-weight: 700 }
.muted, code, footer { color: var(--muted); font-size: .875rem }
h1 + .muted, .mark + .muted { margin-top: .375rem }
label.field { display: block; margin-top: 1.25rem; font-weight: 600 }
.field input { display: block; width: 100%; min-height: 3rem; margin-top: .375rem; padding: .5rem .875rem; border: 1px solid var(--field); border-radius: .625rem; background: var(--card); color: inherit; font: inherit; font-weight: 400 }
.field [aria-invalid] { border-color: var(--problem) }
::placeholder { color: var(--muted) }
.warning { margin: 1.25rem 0 0; padding: .75rem .875rem; border-radius: .625rem; background: color-mix(in srgb, var(--problem) 12%, transparent); color: var(--problem) }
.problem { margin-top: .375rem; color: var(--problem); font-size: .875rem }
fieldset { margin: 1.5rem 0 0; padding: 0; border: 0 }
legend { padding: 0; font-weight: 600 }
.scope { display: flex; gap: .75rem; align-items: center; min-height: 3rem; padding: .625rem 0; border-bottom: 1px solid var(--line) }
.scope:last-child { border-bottom: 0 }
.scope input { flex: none; width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent) }
.scope span { flex: 1 }
.scope code { max-width: 40%; text-align: end }
.buttons { display: flex; gap: .75rem; margin-top: 1.5rem }
button { flex: 1; min-height: 3rem; padding: .5rem 1rem; border: 1px solid var(--field); border-radius: .625rem; background: none; color: inherit; font: inherit; font-weight: 600; cursor: pointer }
button:hover { background: color-mix(in srgb, var(--accent) 10%, transparent) }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
button.main:hover { background: color-mix(in srgb, var(--accent) 88%, var(--text)) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
input:focus-visible { outline-offset: -1px }
footer { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid var(--line) }
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
  typed,
  checkedScopes,
  problem,
}: FormValues & { name: string }) {
  const { scopes, resource, redirect_uri } = description;
  const { resource_names = {} } = description;
  const asksFor = (scope: string) => scopes.some((one) => one.scope === scope);
  const isStranger = description.needs_consent;
  const [letter = ""] = isStranger ? "?" : name.toUpperCase();
  return (
    <>
      <div class="mark" aria-hidden="true">
        {letter}
      </div>
      <p class="muted">
        This development server has no passwords: sign in with any user name.
      </p>
      {isStranger && <StrangerFacts description={description} />}
      <form method="post" action={PATH}>
        <input type="hidden" name="request" value={request} />
        <Field
          label="User name (sub)"
          name="subject"
          {...{ typed, problem }}
          placeholder="alice"
          maxlength={255}
          required
          autofocus
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
        />
        {asksFor("profile") && (
          <Field
            label="Display name"
            name="name"
            {...{ typed, problem }}
            placeholder="Alice Liddell"
            maxlength={MAX_CHARACTERS}
            autocomplete="name"
          />
        )}
        {asksFor("email") && (
          <Field
            label="E-mail address"
            name="email"
            type="email"
            {...{ typed, problem }}
            placeholder="alice@example.com"
            maxlength={MAX_CHARACTERS}
            autocomplete="email"
          />
        )}
        {scopes.length > 0 && (
          <fieldset>
            <legend>{isStranger ? "This app" : name} asks to</legend>
            {scopes.map(({ scope, description: text }) => (
              <label class="scope">
                <input
                  type="checkbox"
                  name="scope"
                  value={scope}
                  checked={checkedScopes?.includes(scope) ?? true}
                />
                <span>{text}</span>
                <code>{scope}</code>
              </label>
            ))}
          </fieldset>
        )}
        <div class="buttons">
          <button class="main" name="answer" value="allow">
            Allow
          </button>
          <button name="answer" value="deny" formnovalidate>
            Deny
          </button>
        </div>
      </form>
      <footer>
        {resource.length > 0 && (
          <>
            This access is for{" "}
            {resource.map((uri, index) => (
              <>
                {index > 0 && ", "}
                {resource_names[uri]} <code>{uri}</code>
              </>
            ))}
            .{" "}
          </>
        )}
        Either way you go back to {displayHost(redirect_uri)}.
      </footer>
    </>
  );
}

type FieldProps = Pick<FormValues, "typed" | "problem"> & {
  label: string;
  name: FieldName;
} & Omit<JSX.IntrinsicElements["input"], "name" | "value">;

function Field({ label, name, typed, problem, ...input }: FieldProps) {
  const isWrong = problem?.field === name;
  const id = `${name}-problem`;
  return (
    <>
      <label class="field">
        {label}
        <input
          type="text"
          {...input}
          id={name}
          name={name}
          value={typed[name] ?? ""}
          {...(isWrong && { "aria-invalid": "true", "aria-describedby": id })}
        />
      </label>
      {isWrong && (
        <p class="problem" id={id} role="alert">
          {problem.text}
        </p>
      )}
    </>
  );
}
