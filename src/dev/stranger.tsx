import type { AuthorizationDescription } from "../oauth/authorization/describe.ts";

/** What the development sign-in page shows of an app that has registered itself. Nobody has checked such an app. */

/** Names an app in a sentence. The name of a stranger stands in quotation marks, and can't end them. */
export function nameOf({
  client_id,
  client_name,
  needs_consent,
}: AuthorizationDescription): string {
  if (!needs_consent) return client_name ?? client_id;
  return client_name === undefined
    ? "an app without a name"
    : `an app that calls itself “${client_name.replaceAll(/["“”„‟«»]/g, "'")}”`;
}

/** Returns the part of a redirect URI that shows its owner: the host, or an app's own scheme. */
export function displayHost(redirectUri: string): string {
  const { host, protocol } = new URL(redirectUri);
  // Behind an app's own scheme anybody can write any host.
  return /^https?:$/.test(protocol) ? host : protocol;
}

export function StrangerFacts({
  description,
}: {
  description: AuthorizationDescription;
}) {
  const { client_host, redirect_uri, redirect_host } = description;
  const isOnDevice = description.redirect_is_loopback || !redirect_host;
  return (
    <p class="warning">
      This app has registered itself, and nobody has checked it.{" "}
      {client_host ? `${client_host} describes it.` : "It names no website."}{" "}
      You go back to {displayHost(redirect_uri)}
      {isOnDevice
        ? ", a program on this device. Any program here can ask in this name. Allow it only if you have just started this sign-in yourself."
        : ". Allow it only if you know that site."}
    </p>
  );
}
