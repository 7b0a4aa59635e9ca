import {
  type ClientIdentity,
  identityOf,
  isSameClient,
} from "../oauth/login-attributes.ts";
import {
  type EndedLogin,
  signLogoutToken,
} from "../oauth/openid/logout-token.ts";
import { isOpenIdOn } from "../oauth/openid/scopes.ts";
import { outgoingUriProblem } from "../oauth/outgoing-uri.ts";
import type { Server } from "../oauth/server.ts";
import type { TellClient } from "./token-family.ts";

/** The time that a client may take to answer, in milliseconds. */
const ANSWER_MS = 5_000;

/**
 * Posts a logout token to the client of a login that has ended (OpenID Connect Back-Channel Logout section 2.5).
 *
 * @returns as `TellClient`. An answer of 400 is final, because the client has refused the token (section 2.8)
 */
export async function postLogout(
  { clients, scopes, settings, signingKeys }: Server,
  login: EndedLogin & ClientIdentity,
): ReturnType<TellClient> {
  // A client that is deleted or disabled is not found.
  const client = await clients.findAgain(login.client_id);
  const address = client?.backchannel_logout_uri;
  if (address === undefined || !isSameClient(identityOf(client!), login))
    return "not_asked";
  if (!isOpenIdOn(await scopes.catalogueAgain())) return "not_asked";
  const { issuer } = settings;
  const problem = outgoingUriProblem(address, issuer);
  if (problem !== undefined)
    return { problem: `backchannel_logout_uri ${problem}`, isFinal: true };
  const now = Math.floor(Date.now() / 1000);
  const key = signingKeys.use(now);
  const logout_token = await signLogoutToken(key, issuer, login, now);
  try {
    const response = await fetch(address, {
      method: "POST",
      // A redirect could lead to a private address.
      redirect: "manual",
      headers: { "User-Agent": "Baton" },
      body: new URLSearchParams({ logout_token }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    await response.body?.cancel();
    const { status } = response;
    if (status === 200 || status === 204) return "told";
    return { problem: `the answer was ${status}`, isFinal: status === 400 };
  } catch (error) {
    // The message may have the address in another spelling, and a secret may be a part of it.
    const name = error instanceof Error ? error.name : typeof error;
    return { problem: `the request failed: ${name}` };
  }
}
