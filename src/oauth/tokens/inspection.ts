import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { hasOwner } from "../find-client.ts";
import type { FamilyState } from "../repositories.ts";
import type { Server } from "../server.ts";
import { isBeforeFloor } from "../token-floor.ts";
import {
  type IntrospectionClaims,
  kindOf,
  type Presenter,
  type TokenContent,
} from "../token-kind.ts";

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
  id_token:
    "it is an ID token, which says who signed in and gives access to nothing",
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
  const owner = await ownerOf(server, content, family, by);
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
 * Describes a token to an administrator as its client would learn it, without the reason why it is not active.
 *
 * @returns undefined if it is not active
 */
export async function introspectOwn(
  server: Parts,
  token: string,
  by: By,
  now: Seconds,
): Promise<IntrospectionClaims | undefined> {
  const kind = kindOf(server.tokenKinds, token);
  const content = await kind.read(token, by);
  if (!content) return undefined;
  const { login, family_id } = content;
  const family =
    !login && family_id ? await server.families.look(family_id) : undefined;
  const owner = await ownerOf(server, content, family, by);
  return owner && kind.introspect(token, { ...by, client: owner }, now);
}

/**
 * What became of the login of a token. `ended`: by this call. `had_ended`: before. The others: nothing has changed,
 * because no login is surely the token's.
 */
export type Ending =
  | "ended"
  | "had_ended"
  | "not_of_server"
  | "of_client"
  | "not_issued"
  | "id_token";

/**
 * Ends the login of an inspected token, also of an expired or a used one. Its client need not exist or be enabled,
 * because it may come back, and the token must not.
 */
export async function endLogin(
  server: Pick<Server, "families" | "takeover">,
  inspection: Inspection,
  { log }: By,
  now: Seconds,
): Promise<Ending> {
  const ending = await endInspected(server, inspection, now);
  const { content, family } = inspection;
  if (ending === "ended" && content?.family_id)
    log.addRevocation({
      subject: (family ?? content).login?.subject,
      grant_id: server.families.grantIdOf(content.family_id),
    });
  return ending;
}

async function endInspected(
  { families, takeover }: Pick<Server, "families" | "takeover">,
  { content, family, inactive }: Inspection,
  now: Seconds,
): Promise<Ending> {
  if (!content) return "not_of_server";
  const { kind, family_id, refresh_token_id, expires_at, isOf } = content;
  if (!family_id) return "of_client";
  if (family) {
    if (!(await isOf(family))) return "not_issued";
    if (kind === "id_token") return "id_token";
    const { outcome } = await families.revoke(family_id);
    return outcome === "revoked" ? "ended" : "had_ended";
  }
  // A token of the old server that was not exchanged has no family yet.
  if (refresh_token_id === undefined || now >= expires_at) return "had_ended";
  const { revoked } = await takeover.countOf([refresh_token_id]);
  await takeover.revoke([{ refresh_token_id, expires_at }]);
  return revoked > 0 || inactive === "grant_ended" ? "had_ended" : "ended";
}

/** Finds the client of a token. The server's own copy may be a minute old, so the record is read again. */
async function ownerOf(
  { clients }: Parts,
  { login }: TokenContent,
  family: FamilyState | undefined,
  { log }: By,
): Promise<Client | undefined> {
  const client_id = login?.client_id ?? family?.login.client_id;
  if (client_id === undefined) return undefined;
  const owner = await clients.findAgain(client_id);
  if (owner) log.fields.client_id = client_id;
  return owner;
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
  if (content.kind === "id_token") return "id_token";
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
