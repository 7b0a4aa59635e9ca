import { type Confirmation, isConfirmed } from "../confirmation.ts";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import { type Client, isPublic, type ResourceCatalogue } from "../entities.ts";
import { resourcesOf } from "../protected-resources.ts";
import type { FamilyState } from "../repositories.ts";
import { digestResources, rememberedResources } from "../resource-memory.ts";
import { includesResources } from "../resource.ts";
import { scopeSet } from "../scope.ts";
import type { Settings } from "../settings.ts";
import type { SignedClaims } from "./access-token.ts";

/*
 * Checks the claims of an access token against what it was issued for. The signature alone is not trusted,
 * because PRIVATE_KEY may have leaked, and because a family may have begun again after the token was issued.
 */

/**
 * Prepares the check of an access token: whether a family may have one with these claims. An audience may be spelled as
 * the catalogue of resources spells it, or as the URI that a client asks for.
 *
 * @returns the check, by the client of the family as it is today
 */
export async function familyCheck(
  claims: SignedClaims,
  catalogue: ResourceCatalogue,
  settings: Settings,
): Promise<(family: FamilyState, client: Client) => boolean> {
  const spellings = namedResources(claims, catalogue);
  const all = spellings.flat();
  const digests = await digestResources(all, all);
  return (family, client) =>
    isOfFamily(claims, family) &&
    (isDefaultOf(claims, family, client, settings) ||
      spellings.some((named) => {
        const { login } = family;
        const today = rememberedResources(client.resources, login, digests);
        return (
          includesResources(today, named) &&
          (login.resource.length === 0 ||
            includesResources(login.resource, named))
        );
      }));
}

/** Returns the resources of a token in each way of reading its audiences. */
function namedResources(
  claims: SignedClaims,
  catalogue: ResourceCatalogue,
): string[][] {
  const named = audiences(claims);
  const byCatalogue = resourcesOf(named, catalogue);
  return includesResources(named, byCatalogue) ? [named] : [named, byCatalogue];
}

/** Tells whether a token is for no resource, and the login leaves that choice to each request (RFC 8707 section 2.2). */
function isDefaultOf(
  claims: SignedClaims,
  { login }: FamilyState,
  { registered_by }: Client,
  settings: Settings,
): boolean {
  // A client that registered itself never gets such a token.
  const mayChoose = login.resource.length === 0 && registered_by === undefined;
  return mayChoose && isDefault(claims, settings);
}

function isOfFamily(
  claims: SignedClaims,
  { login, created_at, ends_at, bound_since }: FamilyState,
): boolean {
  return (
    claims.sub === login.subject &&
    claims.sub_type === login.sub_type &&
    claims.client_id === login.client_id &&
    isWithin(scopes(claims), login.scope) &&
    isIssuedSince(claims, created_at) &&
    claims.exp <= ends_at &&
    isBoundLike(claims, login.cnf, bound_since)
  );
}

/**
 * Tells whether a token is bound to the keys of its family. It may be bound to more, such as a certificate beside the key. A
 * family that was bound later may have bearer tokens from before.
 */
function isBoundLike(
  { cnf }: SignedClaims,
  keys: Confirmation | undefined,
  boundSince: number | undefined,
): boolean {
  if (!keys || isConfirmed(keys, cnf)) return true;
  return boundSince !== undefined && cnf === undefined;
}

/**
 * Tells whether a client may have an access token with these claims for itself (RFC 6749 section 4.4).
 *
 * @param client the client that `client_id` names, as it is today
 */
export function isOfClient(
  claims: SignedClaims,
  client: Client,
  catalogue: ResourceCatalogue,
  settings: Settings,
): boolean {
  const mayHaveOne =
    client.grant_types.includes("client_credentials") && !isPublic(client);
  const isForResources = namedResources(claims, catalogue).some((named) =>
    includesResources(client.resources, named),
  );
  return (
    mayHaveOne &&
    claims.sub === client.client_id &&
    claims.sub_type === "client" &&
    isWithin(scopes(claims), scopeSet(client.scope)) &&
    isIssuedSince(claims, client.client_id_issued_at) &&
    (isForResources || isDefault(claims, settings))
  );
}

/**
 * Tells whether a token is for a resource server. Both may name the resource by its URI or by its audience in the
 * catalogue.
 */
export function isForResourceServer(
  claims: SignedClaims,
  { resource_server }: Client,
  catalogue: ResourceCatalogue,
): boolean {
  if (resource_server === undefined) return false;
  const [named, own] = [audiences(claims), [resource_server]];
  return (
    includesResources(named, own) ||
    includesResources(
      resourcesOf(named, catalogue),
      resourcesOf(own, catalogue),
    )
  );
}

export function audiences({ aud }: SignedClaims): string[] {
  return [aud].flat();
}

/** Returns the scopes that a resource server reads: those of `scope`, and those of league's `scopes`. */
export function scopes({
  scope,
  scopes: ofLeague = [],
}: SignedClaims): string[] {
  return [...new Set([...scopeSet(scope ?? ""), ...ofLeague])];
}

function isWithin(values: readonly string[], allowed: readonly string[]) {
  return values.every((value) => allowed.includes(value));
}

/** Tells whether the audience is that of a token for no resource. In league's format it is the client. */
function isDefault(claims: SignedClaims, { audience }: Settings): boolean {
  const [only, ...others] = audiences(claims);
  if (only === undefined || others.length > 0) return false;
  return only === claims.client_id || includesResources([audience], [only]);
}

/** Tells whether a token was issued by now, by the clock of any location, and is valid from then on. */
export function isIssued({ iat, nbf = iat }: SignedClaims, now: Seconds) {
  return iat <= now + CLOCK_SKEW_SECONDS && nbf === iat;
}

/** Tells whether a token was issued at a time or later, by the clock of any location. */
function isIssuedSince({ iat }: SignedClaims, time: Seconds): boolean {
  return iat + CLOCK_SKEW_SECONDS >= time;
}
