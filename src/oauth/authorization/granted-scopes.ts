import type { Interaction } from "./interaction.ts";
import type { Seconds } from "../duration.ts";
import { familyEnd, lifetimesOf } from "../lifetimes.ts";
import { identityOf, isSameClient } from "../login-attributes.ts";
import { OPENID } from "../openid/scopes.ts";
import type { FamilyState } from "../repositories.ts";
import { includesResources } from "../resource.ts";
import { scopesFor } from "../scope-and-resource.ts";
import type { Server } from "../server.ts";
import { isBeforeFloor } from "../token-floor.ts";

/**
 * The most logins of a user that are looked at, because each is a call. What only the others have, the user is asked for
 * again.
 */
const MAX_LOGINS = 100;

/**
 * Returns the scopes that a user's logins at the client of a request have already, for everything that the request is
 * for. A new login may have them too, so that a client that asks for one scope more keeps the others.
 *
 * A login counts if it can still be refreshed, and if it is for all resources of the request: what the user has allowed
 * at one resource says nothing about another. `openid` counts only if the request has it, because it is a question
 * about this very sign-in. A scope that the client may no longer have, or that belongs to another resource, is left out.
 */
export async function grantedScopes(
  server: Server,
  { request, client, allowed }: Interaction,
  subject: string,
  now: Seconds,
): Promise<string[]> {
  const { families, settings } = server;
  const { scope, resource } = request.login;
  const lifetimes = lifetimesOf(client, settings);
  const counts = ({ login, created_at, authorized_at }: FamilyState) =>
    isSameClient(identityOf(client), login) &&
    login.sub_type === undefined &&
    !isBeforeFloor(client, authorized_at) &&
    now < familyEnd(lifetimes, created_at) &&
    isForAll(login.resource, resource);
  const { grants } = await families.ofSubject(subject, now, MAX_LOGINS);
  const had = new Set(
    grants.filter(counts).flatMap(({ login }) => login.scope),
  );
  if (!scope.includes(OPENID)) had.delete(OPENID);
  return scopesFor(allowed, resource).filter((name) => had.has(name));
}

/** Tells whether a login is for all resources of a request. One that names none is for every resource. */
function isForAll(ofLogin: readonly string[], ofRequest: readonly string[]) {
  if (ofLogin.length === 0) return true;
  return ofRequest.length > 0 && includesResources(ofLogin, ofRequest);
}
