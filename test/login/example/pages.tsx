/** @jsxImportSource hono/jsx */
import { html } from "hono/html";
import type { PropsWithChildren } from "hono/jsx";
import type { AuthorizationDescription, LogoutDescription } from "./baton.ts";
import { AppName, destination, nameOf, StrangerFacts } from "./stranger.tsx";
import { style } from "./style.ts";
import type { User } from "./users.ts";

/** The pages that people see. They have no scripts, and JSX escapes every value in them. */

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
          <main>{children}</main>
        </body>
      </html>
    )}`;
}

/** What every form has. */
interface FormProps {
  csrf: string;
  /** Baton's `request`, which the browser brought. Left out: the person did not come from an app. */
  request?: string | undefined;
}

type PostProps = PropsWithChildren<FormProps & { action: string }>;

function Form({ action, csrf, request, children }: PostProps) {
  return (
    <form method="post" action={action}>
      <input type="hidden" name="csrf" value={csrf} />
      {request && <input type="hidden" name="request" value={request} />}
      {children}
    </form>
  );
}

export interface SignInProps extends FormProps {
  /** Baton's description of the request. */
  asked?: AuthorizationDescription | undefined;
  username: string;
  problem?: string | undefined;
}

export function SignInPage({ asked, username, problem, ...form }: SignInProps) {
  return (
    <>
      {asked && <AppMark asked={asked} />}
      <h1>
        Sign in
        {asked && (
          <>
            {" "}
            to <AppName asked={asked} />
          </>
        )}
      </h1>
      <p class="muted">With your user name or your e-mail address.</p>
      <Form action="/sign-in" {...form}>
        {problem && (
          <p id="problem" role="alert">
            {problem}
          </p>
        )}
        <label class="field">
          User name
          <input
            name="username"
            value={username}
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            required
            autofocus={username === ""}
            {...invalidIf(problem)}
          />
        </label>
        <label class="field">
          Password
          <input
            name="password"
            type="password"
            autocomplete="current-password"
            required
            autofocus={username !== ""}
            {...invalidIf(problem)}
          />
        </label>
        <div class="buttons">
          <button class="main" name="answer" value="sign-in">
            Sign in
          </button>
          {asked && (
            <button name="answer" value="deny" formnovalidate>
              Cancel
            </button>
          )}
        </div>
      </Form>
      {asked && <WayBack to={asked.redirect_uri} />}
    </>
  );
}

function invalidIf(problem: string | undefined) {
  return problem === undefined
    ? {}
    : ({ "aria-invalid": "true", "aria-describedby": "problem" } as const);
}

interface AccountProps extends FormProps {
  user: User;
}

/** Asks which account an app gets: the one that is signed in, or another. */
export function ChooseAccountPage({
  asked,
  user,
  ...form
}: AccountProps & { asked: AuthorizationDescription }) {
  return (
    <>
      <AppMark asked={asked} />
      <h1>Choose an account</h1>
      <p class="muted">
        to go on to <AppName asked={asked} />
      </p>
      <Form action="/account" {...form}>
        <button class="account">
          <Person user={user} />
        </button>
      </Form>
      <Form action="/switch" {...form}>
        <button class="account">
          <span class="mark person" aria-hidden="true">
            +
          </span>
          <strong>Use another account</strong>
        </button>
      </Form>
    </>
  );
}

/**
 * Asks for consent. What the person has allowed this app before is apart from what is new. If something is new, the app
 * keeps the rest, also what it does not ask for this time, and the person can take it away.
 */
export function ConsentPage({
  asked,
  user,
  ...form
}: AccountProps & { asked: AuthorizationDescription }) {
  const { scopes, granted_scopes = [], redirect_uri } = asked;
  const isIn = (list: Scope[]) => (one: Scope) =>
    list.some(({ scope }) => scope === one.scope);
  const fresh = scopes.filter((one) => !isIn(granted_scopes)(one));
  const kept = fresh.length > 0 ? granted_scopes : [];
  const requested = fresh.length > 0 ? fresh : scopes;
  const asker = asked.needs_consent ? "This app" : nameOf(asked);
  return (
    <>
      <AppMark asked={asked} />
      <h1>
        Allow <AppName asked={asked} />?
      </h1>
      {asked.needs_consent && <StrangerFacts asked={asked} />}
      <div class="account">
        <Person user={user} />
        <Form action="/switch" {...form}>
          <button class="link">Switch</button>
        </Form>
      </div>
      <Form action="/consent" {...form}>
        <fieldset>
          <legend>
            {asker} {kept.length > 0 && "also "}asks to
          </legend>
          {requested.map((scope) => (
            <ScopeRow {...scope} />
          ))}
          {scopes.length === 0 && <p>know who you are, and nothing else</p>}
        </fieldset>
        {kept.length > 0 && (
          <fieldset>
            <legend>You have allowed it before to</legend>
            {kept.map((scope) => (
              <ScopeRow {...scope} />
            ))}
          </fieldset>
        )}
        <div class="buttons">
          <button class="main" name="answer" value="allow">
            Allow
          </button>
          <button name="answer" value="deny">
            Deny
          </button>
        </div>
      </Form>
      <WayBack to={redirect_uri} />
    </>
  );
}

/** An app that signs people in cannot work without `openid`, so nobody can untick that. */
function ScopeRow({ scope, description }: Scope) {
  const isNeeded = scope === "openid";
  return (
    <label class="scope">
      <input
        type="checkbox"
        name="scope"
        value={scope}
        checked
        disabled={isNeeded}
      />
      {isNeeded && <input type="hidden" name="scope" value={scope} />}
      {description}
    </label>
  );
}

type Scope = AuthorizationDescription["scopes"][number];

/** The page of somebody who has not come from an app. */
export function AccountPage({ user, ...form }: AccountProps) {
  return (
    <>
      <Mark of={user.profile.name} isPerson />
      <h1>Signed in as {user.profile.name}</h1>
      <p class="muted">{user.profile.email}</p>
      <div class="buttons stack">
        <Form action="/switch" {...form}>
          <button>Switch account</button>
        </Form>
        <Form action="/account/sign-out" {...form}>
          <button>Sign out</button>
        </Form>
      </div>
    </>
  );
}

/** Asks whether the person wants to sign out, because the app has not proved that it may do that. */
export function SignOutPage({
  asked,
  user,
  ...form
}: AccountProps & { asked: LogoutDescription }) {
  return (
    <>
      <h1>Sign out of all apps?</h1>
      <p>
        {asked.client_name ?? "An app"} asks to sign you out. This ends your
        session here, and in every app that you have opened with it.
      </p>
      {asked.is_confirmed && (
        <p>The sign-in of that app itself has ended already.</p>
      )}
      <div class="account">
        <Person user={user} />
      </div>
      <Form action="/sign-out" {...form}>
        <div class="buttons stack">
          <button class="main" name="answer" value="sign-out">
            Sign out
          </button>
          <button name="answer" value="stay">
            Stay signed in
          </button>
        </div>
      </Form>
      {asked.post_logout_redirect_uri && (
        <WayBack to={asked.post_logout_redirect_uri} />
      )}
    </>
  );
}

/** A page with nothing to fill in. */
export function Message({
  title,
  children,
}: PropsWithChildren<{ title: string }>) {
  return (
    <>
      <h1>{title}</h1>
      {children}
    </>
  );
}

/** The first letter of a name, for the eye. Assistive technology reads the name itself. */
function Mark({ of: name, isPerson }: { of: string; isPerson?: boolean }) {
  const [letter = ""] = name.toUpperCase();
  return (
    <div class={isPerson ? "mark person" : "mark"} aria-hidden="true">
      {letter}
    </div>
  );
}

/** The mark of an app. A stranger gets none of a known app, whose letter it could take. */
function AppMark({ asked }: { asked: AuthorizationDescription }) {
  return <Mark of={asked.needs_consent ? "?" : nameOf(asked)} />;
}

function Person({ user: { profile } }: { user: User }) {
  const [letter = ""] = profile.name.toUpperCase();
  return (
    <>
      <span class="mark person" aria-hidden="true">
        {letter}
      </span>
      <span>
        <strong>{profile.name}</strong>
        <small>{profile.email}</small>
      </span>
    </>
  );
}

function WayBack({ to }: { to: string }) {
  return <footer>Either way you go back to {destination(to)}.</footer>;
}

export function signInTitle(asked?: AuthorizationDescription): string {
  return asked ? `Sign in to ${nameOf(asked)}` : "Sign in";
}
