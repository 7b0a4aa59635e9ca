import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import { type Client, isPublic } from "../entities.ts";
import type { FamilyState } from "../repositories.ts";
import {
  rememberedResources,
  type ResourceDigests,
} from "../resource-memory.ts";
import { includesResources } from "../resource.ts";
import { scopeSet } from "../scope.ts";
import type { Settings } from "../settings.ts";
import type { SignedClaims } from "./access-token.ts";

/*
 * Checks the claims of an access token against what it was issued for. The signature alone is not trusted,
 * because PRIVATE_KEY may have leaked, and because a family may have begun again after the token was issued.
 */

/**
 * Tells whether a family may have an access token with these claims.
 *
 * @param client the client of the family, as it is today
 * @param digests of the audiences
 */
export function isOfFamily(
  claims: SignedClaims,
  { login, created_at, ends_at }: FamilyState,
  client: Client,
  digests: ResourceDigests,
  settings: Settings,
): boolean {
  const named = audiences(claims);
  const isOfClientToday = includesResources(
    rememberedResources(client.resources, login, digests),
    named,
  );
  // A grant that names no resource leaves the choice to each request (RFC 8707 section 2.2).
  const isForGranted =
    login.resource.length > 0
      ? isOfClientToday && includesResources(login.resource, named)
      : isOfClientToday || isDefault(claims, settings);
  return (
    claims.sub === login.subject &&
    claims.sub_type === login.sub_type &&
    claims.client_id === login.client_id &&
    isWithin(scopes(claims), login.scope) &&
    isIssuedSince(claims, created_at) &&
    claims.exp <= ends_at &&
    isForGranted
  );
}

/**
 * Tells whether a client may have an access token with these claims for itself (RFC 6749 section 4.4).
 *
 * @param client the client that `client_id` names, as it is today
 */
export function isOfClient(
  claims: SignedClaims,
  client: Client,
  settings: Settings,
): boolean {
  const mayHaveOne =
    client.grant_types.includes("client_credentials") && !isPublic(client);
  const isForResources = includesResources(client.resources, audiences(claims));
  return (
    mayHaveOne &&
    claims.sub === client.client_id &&
    claims.sub_type === "client" &&
    isWithin(scopes(claims), scopeSet(client.scope)) &&
    isIssuedSince(claims, client.client_id_issued_at) &&
    (isForResources || isDefault(claims, settings))
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
