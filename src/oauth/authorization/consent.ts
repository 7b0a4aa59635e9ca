import * as v from "valibot";
import type { Client } from "../entities.ts";
import { fieldError } from "../errors.ts";

/**
 * The consent to a client that has registered itself. Nobody has checked such a client, so only the user can tell whether
 * they want it, and only if the page shows what is known of it.
 */

/** The facts that a page must show of a client that has registered itself, beside its name and the scopes. */
export interface SelfRegisteredClient {
  /** The way in which the client came in. Nobody has checked it or its name. */
  registered_by: "metadata_document" | "dynamic_registration";
  /** The host whose document describes the client, in ASCII. Left out: it has no document. */
  client_host?: string;
  /** The host and port to which the browser goes, in ASCII. Left out: the URI has an app's own scheme. */
  redirect_host?: string;
  /** True: the browser goes to a program on the user's own device, and any program there can be behind it. */
  redirect_is_loopback: boolean;
  /** The decision must have `consent: true`. */
  needs_consent: true;
}

/** Describes a client that has registered itself. @returns nothing for a client of an administrator */
export function describeSelfRegistered(
  { client_id, registered_by }: Client,
  redirect_uri: string,
): SelfRegisteredClient | Record<string, never> {
  if (registered_by === undefined) return {};
  const isDocument = registered_by === "metadata_document";
  const client_host = isDocument ? webHost(client_id) : undefined;
  const redirect_host = webHost(redirect_uri);
  return {
    registered_by,
    ...(client_host !== undefined && { client_host }),
    ...(redirect_host !== undefined && { redirect_host }),
    redirect_is_loopback: isLoopbackHost(redirect_uri),
    needs_consent: true,
  };
}

/**
 * Returns the host and port of a web address. `URL` writes them in ASCII (punycode), so that a letter of another script
 * shows that only looks like one of a known name. After an app's own scheme a host means nothing: anybody can write one
 * there.
 */
function webHost(uri: string): string | undefined {
  const { protocol, host } = new URL(uri);
  return /^https?:$/.test(protocol) ? host : undefined;
}

/** Tells whether a web address leads to the device of the user (RFC 8252 section 7.3), with http or https. */
function isLoopbackHost(uri: string): boolean {
  const { hostname } = new URL(uri);
  return (
    webHost(uri) !== undefined &&
    /^(?:127(?:\.\d+){3}|\[::1\]|(?:.+\.)?localhost\.?)$/.test(hostname)
  );
}

export const consent = v.optional(
  v.pipe(
    v.literal(true, "must be true, or left out"),
    v.description(
      "true: the user has seen the name, client_host, redirect_host and scopes of a client that has registered itself (needs_consent), and has agreed. Other clients do not need it.",
    ),
  ),
);

/**
 * Refuses the decision for a client that has registered itself if the user was not asked. So a login that shows no page
 * for such clients cannot give a stranger access.
 *
 * @throws OAuthError `authorization_consent_missing`
 */
export function refuseWithoutConsent(
  { registered_by }: Client,
  decided: { consent?: true | undefined },
): void {
  if (registered_by === undefined || decided.consent) return;
  throw fieldError(
    "consent",
    "is missing. The client has registered itself, and nobody has checked it: show the user its client_name, client_host, redirect_host and scopes, and send true if they agree. Without a page send the error consent_required",
    "authorization_consent_missing",
  );
}
