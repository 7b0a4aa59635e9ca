/** @jsxImportSource hono/jsx */
import type { AuthorizationDescription } from "./baton.ts";

/**
 * What people see of an app that has registered itself at Baton (`needs_consent`). Nobody has checked it, and its name is
 * what a stranger says. The hosts are certain, so they stand where people look.
 */

/** Names an app in a sentence. The name of a stranger stands in quotation marks. */
export function nameOf(asked: AuthorizationDescription): string {
  const { client_id, client_name, needs_consent } = asked;
  if (!needs_consent) return client_name ?? client_id;
  return client_name === undefined
    ? "an app without a name"
    : `an app that calls itself “${unquoted(client_name)}”`;
}

/** `nameOf` for a page: a name that is written from right to left changes nothing around it. */
export function AppName({ asked }: { asked: AuthorizationDescription }) {
  const { client_name, needs_consent } = asked;
  if (!needs_consent || client_name === undefined) return <>{nameOf(asked)}</>;
  return (
    <>
      an app that calls itself “<bdi>{unquoted(client_name)}</bdi>”
    </>
  );
}

/** A quotation mark in a name would seem to end it, and what follows would read as the words of this page. */
function unquoted(name: string): string {
  return name.replaceAll(/["“”„‟«»]/g, "'");
}

/** The part of a redirect URI that names its owner: the host, or the scheme of an app with its own scheme. */
export function destination(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri);
  // Behind an app's own scheme anybody can write any host.
  return /^https?:$/.test(protocol) ? host : protocol;
}

/** Tells whether the browser goes to a program on the person's own device. Any program there can take its place. */
export function isOnDevice(asked: AuthorizationDescription): boolean {
  return (asked.redirect_is_loopback ?? false) || !asked.redirect_host;
}

/** Who asks, where the person goes, and for what: with a warning where nobody can know who asks. */
export function StrangerFacts({ asked }: { asked: AuthorizationDescription }) {
  const { client_host, redirect_uri, resource, resource_names = {} } = asked;
  const to = destination(redirect_uri);
  return (
    <>
      <dl>
        <dt>Asked by</dt>
        <dd>{client_host ?? "an app that has registered itself"}</dd>
        <dt>You go back to</dt>
        <dd>{isOnDevice(asked) ? `${to} (a program on this device)` : to}</dd>
        {resource.length > 0 && <dt>For</dt>}
        {resource.map((uri) => (
          <dd>
            {resource_names[uri] ?? uri}
            {resource_names[uri] && <small>{uri}</small>}
          </dd>
        ))}
      </dl>
      <Warning asked={asked} />
    </>
  );
}

/** What the person must know before they allow it: most of all that an app on their own device can't be told from another. */
function Warning({ asked }: { asked: AuthorizationDescription }) {
  const { client_host, redirect_uri } = asked;
  const to = destination(redirect_uri);
  if (isOnDevice(asked))
    return (
      <p class="warning">
        Any program on this device can ask in this name
        {client_host && `, also one that is not from ${client_host}`}. Allow it
        only if you have just started this sign-in yourself, in a program that
        you trust.
      </p>
    );
  if (client_host === undefined)
    return (
      <p class="warning">
        Nobody has checked this app or its name. Allow it only if you know {to},
        and have just come from there.
      </p>
    );
  if (client_host !== to)
    return (
      <p class="warning">
        Nobody has checked this app: its name is what {client_host} says. It
        sends you to another site, {to}. Allow it only if you know both.
      </p>
    );
  return (
    <p class="muted">
      Nobody has checked this app: its name is what {client_host} says. Allow it
      only if you know that site.
    </p>
  );
}
