import { equalBytes } from "../constant-time.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { OAuthError } from "../errors.ts";
import { findClient, hasOwner } from "../find-client.ts";
import { identityOf } from "../login-attributes.ts";
import {
  accessTokenClaimsOf,
  type LoginClaims,
  unregisteredClaims,
} from "../login-claims.ts";
import { accessTokenExpiry, lifetimesOf } from "../lifetimes.ts";
import type { FamilyKey, FamilyState } from "../repositories.ts";
import { resourcesOf, withResourceRules } from "../protected-resources.ts";
import type { Server } from "../server.ts";
import { isBeforeFloor } from "../token-floor.ts";
import type {
  IntrospectionClaims,
  Presenter,
  TokenKind,
} from "../token-kind.ts";
import {
  audiences,
  familyCheck,
  isForResourceServer,
  isIssued,
  isOfClient,
  scopes,
} from "./access-token-check.ts";
import { refreshTokenKeys } from "./bound-keys.ts";
import { verifyAccessToken } from "./access-token.ts";
import {
  hashFamilySecret,
  isRefreshToken,
  verifyRefreshToken,
} from "./refresh-token.ts";

/** The parts of the server that the kind of refresh tokens needs. */
type Parts = Pick<Server, "clients" | "families" | "settings" | "tokenKeys">;

/** Makes the kind of this server's refresh tokens. A forged token costs no storage call. */
export function refreshTokenKind(server: Parts): TokenKind {
  const { families, settings, tokenKeys } = server;
  return {
    recognises: isRefreshToken,

    async verify(token) {
      const claims = await verifyRefreshToken(tokenKeys, token);
      if (typeof claims === "string") throw new OAuthError(claims);
      return {
        ...claims,
        exchange: (attempt) => families.exchange(claims.family_id, attempt),
      };
    },

    // A used token is revoked as well, because a logout that races a refresh must win.
    async revoke(token, presenter) {
      const claims = await verifyRefreshToken(tokenKeys, token);
      if (typeof claims === "string") return;
      const secret_hash = await hashFamilySecret(claims.family_secret);
      await revokeFamily(server, claims.family_id, presenter, { secret_hash });
    },

    async read(token) {
      const claims = await verifyRefreshToken(tokenKeys, token);
      if (typeof claims === "string") return undefined;
      const { family_id, generation, expires_at, family_secret } = claims;
      const isOf = async ({ secret_hash }: FamilyState) =>
        equalBytes(secret_hash, await hashFamilySecret(family_secret));
      return { kind: "refresh_token", family_id, generation, expires_at, isOf };
    },

    async introspect(token, { client, log }, now) {
      const claims = await verifyRefreshToken(tokenKeys, token);
      if (typeof claims === "string" || now >= claims.expires_at)
        return undefined;
      log.begin("family");
      const family = await findLivingFamily(server, claims.family_id, now);
      if (!family) return undefined;
      const { client_id, scope, subject, sub_type } = family.login;
      const cnf = refreshTokenKeys(family, claims.generation);
      const isNewest = family.generation === claims.generation;
      const secretHash = await hashFamilySecret(claims.family_secret);
      const isGenuine = equalBytes(family.secret_hash, secretHash);
      if (client_id !== client.client_id || !isNewest || !isGenuine)
        return undefined;
      return {
        iss: settings.issuer,
        sub: subject,
        ...(sub_type && { sub_type }),
        client_id,
        ...(scope.length > 0 && { scope: scope.join(" ") }),
        iat: family.last_used_at,
        exp: claims.expires_at,
        ...(cnf && { cnf }),
      };
    },
  };
}

/**
 * Makes the kind of this server's access tokens. It also recognises every token that no other kind
 * recognises; such a token is not valid. A forged token costs no storage call.
 */
export function accessTokenKind(
  server: Parts & Pick<Server, "resources" | "verificationKeys">,
  otherKinds: readonly TokenKind[],
): TokenKind {
  const { settings, verificationKeys } = server;
  const verify = (token: string) =>
    verifyAccessToken(verificationKeys, settings.issuer, token);
  return {
    recognises: (token) => !otherKinds.some((kind) => kind.recognises(token)),

    async revoke(token, presenter, now) {
      const verified = await verify(token);
      // An expired access token may stand in a log, so it must not end a login.
      if (!verified || now >= verified.claims.exp) return;
      const { family_id, claims } = verified;
      if (family_id) return revokeFamily(server, family_id, presenter);
      const isOwn = claims.client_id === presenter.client.client_id;
      throw new OAuthError(
        isOwn ? "token_not_revocable" : "token_of_another_client",
      );
    },

    async read(token) {
      const verified = await verify(token);
      if (!verified) return undefined;
      const { family_id, claims } = verified;
      const { client_id, sub, sub_type, iat, exp } = claims;
      return {
        kind: "access_token",
        ...(family_id && { family_id }),
        login: {
          client_id,
          subject: sub,
          ...(sub_type && { sub_type }),
          scope: scopes(claims),
          resource: audiences(claims),
          ...(claims.cnf && { cnf: claims.cnf }),
        },
        issued_at: iat,
        expires_at: exp,
        isOf: async ({ login }) =>
          login.subject === sub && login.client_id === client_id,
      };
    },

    async introspect(token, { client, log }, now) {
      const verified = await verify(token);
      if (!verified || now >= verified.claims.exp) return undefined;
      const { family_id, claims } = verified;
      const isOwn = claims.client_id === client.client_id;
      if (!isOwn && client.resource_server === undefined) return undefined;
      if (!isIssued(claims, now)) return undefined;
      const catalogue = await server.resources.catalogue();
      if (!isOwn && !isForResourceServer(claims, client, catalogue))
        return undefined;
      const isDpop = claims.cnf?.jkt !== undefined;
      const answer = { ...claims, token_type: isDpop ? "DPoP" : "Bearer" };
      log.begin("family");
      if (family_id) {
        const check = await familyCheck(claims, catalogue, settings);
        const family = await findLivingFamily(server, family_id, now, check);
        // Not those of the token, so that a leaked PRIVATE_KEY alone gives nobody a role.
        return family && { ...givenClaims(family.login), ...answer };
      }
      const owner = await findClient(server, claims.client_id, (found) =>
        found &&
        !isBeforeFloor(found, claims.iat) &&
        isOfClient(claims, found, catalogue, settings)
          ? found
          : undefined,
      );
      if (!owner) return undefined;
      // A longer life is not refused, because the lifetime may have been cut since. But a resource server that
      // keeps the answer until it expires asks again in time.
      const named = resourcesOf(audiences(claims), catalogue);
      const asIssued = withResourceRules(
        owner,
        named,
        catalogue,
        settings,
        now,
      );
      const longest = accessTokenExpiry(lifetimesOf(asIssued, settings), now);
      return { ...answer, exp: Math.min(claims.exp, longest) };
    },
  };
}

/**
 * Ends the family of a token.
 *
 * @throws OAuthError if the family is another client's (RFC 7009 section 2.1); then it is not changed
 */
async function revokeFamily(
  { families }: Parts,
  familyId: Uint8Array,
  { client, log, takeAssertion }: Presenter,
  secret: Pick<FamilyKey, "secret_hash"> = {},
): Promise<void> {
  // Somebody who has seen an assertion must not end logins with it.
  await takeAssertion?.();
  log.begin("family");
  const key = { ...identityOf(client), ...secret };
  const result = await families.revoke(familyId, key);
  if (result.outcome === "refused") throw new OAuthError(result.reason);
  if (result.outcome !== "revoked") return;
  const { subject } = result;
  const grant_id = families.grantIdOf(familyId);
  log.addRevocation({ subject, grant_id });
}

/**
 * Finds a family that has not ended or expired, and whose client still exists.
 *
 * @param check tells whether the family and its client, as it is today, are the ones that the caller wants
 */
export async function findLivingFamily(
  server: Parts,
  familyId: Uint8Array,
  now: Seconds,
  check = (_family: FamilyState, _client: Client) => true,
): Promise<FamilyState | undefined> {
  const family = await server.families.look(familyId);
  if (!family || now >= family.expires_at) return undefined;
  const passes = (client: Client) => check(family, client);
  return (await hasOwner(server, family, passes)) ? family : undefined;
}

/** Returns the claims that a login has given for access tokens, as it stands now. */
function givenClaims(login: LoginClaims): IntrospectionClaims {
  const { claims, ...signIn } = accessTokenClaimsOf(login);
  return { ...unregisteredClaims("claims", claims), ...signIn };
}
