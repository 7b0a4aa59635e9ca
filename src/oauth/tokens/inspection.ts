import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { fieldError } from "../errors.ts";
import { hasOwner } from "../find-client.ts";
import type { FamilyState } from "../repositories.ts";
import type { Server } from "../server.ts";
import { isBeforeFloor } from "../token-floor.ts";
import { kindOf, type Presenter, type TokenContent } from "../token-kind.ts";

/**
 * Tokens and logins as an administrator sees them: with the reason why one is not active, which no client
 * learns.
 */

/** Why a token or a login is not active, and what that means. */
export const inactiveReasons = {
  unknown:
    "it is not a token of this server, or it was changed, or its key was removed",
  not_issued:
    "its signature is right, but its grant or its client cannot have this token: it was forged with a leaked key, or what the client may have has changed",
  expired: "its time is over",
  used: "it was exchanged, and a newer token took its place",
  grant_ended: "the grant was revoked, its user was logged out, or it expired",
  client_unknown: "there is no such client any more, or it is disabled",
  tokens_not_before:
    "the client's tokens_not_before ends everything up to that time",
} as const;

export type InactiveReason = keyof typeof inactiveReasons;

/** The parts of the server that look at a token. */
type Parts = Pick<Server, "clients" | "families" | "tokenKinds">;

/** Where an administrator's request came from, and its log. */
type By = Pick<Presenter, "network" | "log">;

/** What the server knows of a token. */
export interface Inspection {
  /** Left out: the token is active. Then its client would learn so from `/introspect`. */
  inactive?: InactiveReason;
  /** Left out: it is not a token of this server. */
  content?: TokenContent;
  /** The token's family. Left out: it has none, or has ended. */
  family?: FamilyState;
}

/** Inspects a token of any kind. It changes nothing. */
export async function inspectToken(
  server: Parts,
  token: string,
  by: By,
  now: Seconds,
): Promise<Inspection> {
  const kind = kindOf(server.tokenKinds, token);
  const content = await kind.read(token, by);
  if (!content) return { inactive: "unknown" };
  by.log.begin("family");
  const { family_id } = content;
  const family = family_id && (await server.families.look(family_id));
  const owner = await ownerOf(server, content, family);
  // The kind itself says what is active, so that administrator and client never learn different things.
  const claims =
    owner && (await kind.introspect(token, { ...by, client: owner }, now));
  const inactive = claims
    ? undefined
    : await whyInactive(server, content, family, owner, now);
  return { content, ...(family && { family }), ...(inactive && { inactive }) };
}

/** Tells why a login is not active. @returns undefined if it is */
export async function whyLoginInactive(
  server: Parts,
  family: FamilyState,
  now: Seconds,
): Promise<InactiveReason | undefined> {
  if (now >= family.expires_at) return "expired";
  if (await hasOwner(server, family)) return undefined;
  const client = await server.clients.find(family.login.client_id);
  return client && isBeforeFloor(client, family.authorized_at)
    ? "tokens_not_before"
    : "client_unknown";
}

/**
 * Ends the login of a token, also of an expired or a used one.
 *
 * @returns the inspection before the end; `hasEnded`: this call has ended it
 * @throws OAuthError `admin_body_invalid` if no login is surely the token's
 */
export async function endLoginOf(
  server: Parts,
  token: string,
  by: By,
  now: Seconds,
): Promise<Inspection & { hasEnded: boolean }> {
  const inspection = await inspectToken(server, token, by, now);
  const { content, family, inactive } = inspection;
  if (!content)
    throw fieldError(
      "token",
      "is not a token of this server, or it was changed, or its key was removed",
    );
  const { family_id } = content;
  if (!family_id)
    throw fieldError(
      "token",
      "is the client's own access token, which belongs to no grant: only tokens_not_before of the client ends it",
    );
  if (inactive === "not_issued")
    throw fieldError(
      "token",
      `names the grant ${server.families.grantIdOf(family_id)} but was not issued for it: end the grant by its id if you mean it`,
    );
  if (family) {
    const { outcome } = await server.families.revoke(family_id);
    return { ...inspection, hasEnded: outcome === "revoked" };
  }
  // A token of another server that was not exchanged has no family yet.
  const owner = await ownerOf(server, content, family);
  if (inactive || !owner) return { ...inspection, hasEnded: false };
  const presenter = { ...by, client: owner };
  await kindOf(server.tokenKinds, token).revoke(token, presenter, now);
  return { ...inspection, hasEnded: true };
}

function ownerOf(
  server: Parts,
  { login }: TokenContent,
  family: FamilyState | undefined,
): Promise<Client | undefined> {
  const client_id = login?.client_id ?? family?.login.client_id;
  return client_id === undefined
    ? Promise.resolve(undefined)
    : server.clients.findAgain(client_id);
}

async function whyInactive(
  server: Parts,
  content: TokenContent,
  family: FamilyState | undefined,
  owner: Client | undefined,
  now: Seconds,
): Promise<InactiveReason> {
  const { family_id, generation, login, issued_at, expires_at, isOf } = content;
  if (family && !(await isOf(family))) return "not_issued";
  if (now >= expires_at) return "expired";
  if (family_id && !family)
    return login && !owner ? "client_unknown" : "grant_ended";
  if (family) {
    const reason = await whyLoginInactive(server, family, now);
    if (reason) return reason;
    return (generation ?? Infinity) < family.generation ? "used" : "not_issued";
  }
  if (!owner) return "client_unknown";
  return issued_at !== undefined && isBeforeFloor(owner, issued_at)
    ? "tokens_not_before"
    : "not_issued";
}
