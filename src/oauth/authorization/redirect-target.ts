import { isClientId } from "../client-metadata.ts";
import type { Client } from "../entities.ts";
import { OAuthError, type Refused } from "../errors.ts";
import type { Parameters } from "../parameters.ts";
import { isRegistered } from "../redirect-uri.ts";
import type { Catalogues } from "../entities.ts";
import type { Server } from "../server.ts";

/** The parameters that identify client and redirect URI. An error of theirs is shown as a page. */
const redirectTargetParameters = ["client_id", "redirect_uri"] as const;

/** The client of an authorization request, and its registered redirect URI for the response. */
export interface RedirectTarget {
  client: Client;
  redirect_uri: string;
  /** They are read at the same time as the client. */
  catalogues: Promise<Catalogues>;
}

/**
 * Finds client and redirect URI of an authorization request. Until both are certain, the browser must not be
 * redirected (RFC 6749 section 4.1.2.1).
 *
 * @param network the network that the request came from. Empty: nobody knows it
 * @throws OAuthError `parameter_missing`, `parameter_repeated`, `authorization_client_unknown`,
 *   `redirect_uris_none`, `redirect_uri_missing`, `redirect_uri_unregistered`, and what `findForSignIn` throws
 */
export async function findRedirectTarget(
  { clients, catalogues: stored }: Pick<Server, "clients" | "catalogues">,
  parameters: Parameters,
  network = "",
): Promise<RedirectTarget> {
  parameters.refuseRepeated(redirectTargetParameters);
  const clientId = parameters.required("client_id");
  const requestedUri = parameters.optional("redirect_uri");
  if (!isClientId(clientId))
    throw new OAuthError("authorization_client_unknown");

  // Read again, because the login that starts here lasts long, and a record may be a minute old.
  const found = clients.findForSignIn(clientId, {
    network,
    isWanted: (client) =>
      "client" in chooseRedirectTarget(client, requestedUri),
  });
  const catalogues = stored.findAgain();
  // The platform cuts off a read that nobody awaits. It would be made again for every request that is refused.
  await Promise.allSettled([found, catalogues]);
  const client = await found;
  const choice = chooseRedirectTarget(client, requestedUri);
  if ("client" in choice) return { ...choice, catalogues };
  throw new OAuthError(choice.refused, client && { client_id: clientId });
}

function chooseRedirectTarget(
  client: Client | undefined,
  requestedUri: string | undefined,
): Omit<RedirectTarget, "catalogues"> | Refused {
  if (!client) return { refused: "authorization_client_unknown" };
  const { redirect_uris } = client;
  if (redirect_uris.length === 0) return { refused: "redirect_uris_none" };
  if (requestedUri !== undefined) {
    return isRegistered(requestedUri, redirect_uris)
      ? { client, redirect_uri: requestedUri }
      : { refused: "redirect_uri_unregistered" };
  }
  // RFC 6749 section 3.1.2.3: it may be left out if exactly one is registered.
  const [firstUri] = redirect_uris;
  return firstUri !== undefined && redirect_uris.length === 1
    ? { client, redirect_uri: firstUri }
    : { refused: "redirect_uri_missing" };
}
