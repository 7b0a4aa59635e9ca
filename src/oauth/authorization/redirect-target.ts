import { isClientId } from "../client-metadata.ts";
import type { Client } from "../entities.ts";
import { OAuthError, type Refused } from "../errors.ts";
import type { Parameters } from "../parameters.ts";
import { isRegistered } from "../redirect-uri.ts";
import type { Server } from "../server.ts";

/** The parameters that say who asks, and where the answer goes: no answer goes anywhere before. */
const redirectTargetParameters = ["client_id", "redirect_uri"] as const;

/** Who asks, and where the browser goes with the answer: both known and registered. */
export interface RedirectTarget {
  client: Client;
  redirect_uri: string;
}

/**
 * Finds out who asks and where the answer may go. While that is not certain the browser must not be
 * sent anywhere (RFC 6749 section 4.1.2.1).
 *
 * @throws OAuthError
 */
export async function findRedirectTarget(
  { clients }: Pick<Server, "clients">,
  parameters: Parameters,
): Promise<RedirectTarget> {
  parameters.refuseRepeated(redirectTargetParameters);
  const clientId = parameters.required("client_id");
  const named = parameters.optional("redirect_uri");
  if (!isClientId(clientId))
    throw new OAuthError("authorization_client_unknown");

  // A sign-in is rare, and what comes of it lives long: not by a record of a minute ago.
  const client = await clients.findAgain(clientId);
  const choice = chooseRedirectTarget(client, named);
  if ("client" in choice) return choice;
  throw new OAuthError(choice.refused, client && { client_id: clientId });
}

function chooseRedirectTarget(
  client: Client | undefined,
  named: string | undefined,
): RedirectTarget | Refused {
  if (!client) return { refused: "authorization_client_unknown" };
  const { redirect_uris } = client;
  if (redirect_uris.length === 0) return { refused: "redirect_uris_none" };
  if (named !== undefined) {
    return isRegistered(named, redirect_uris)
      ? { client, redirect_uri: named }
      : { refused: "redirect_uri_unregistered" };
  }
  // RFC 6749 section 3.1.2.3: it may be left out where there is but one.
  const [only] = redirect_uris;
  return only !== undefined && redirect_uris.length === 1
    ? { client, redirect_uri: only }
    : { refused: "redirect_uri_missing" };
}
