import { equalBytes } from "../oauth/constant-time.ts";
import type { Seconds } from "../oauth/duration.ts";
import type { Client } from "../oauth/entities.ts";
import { OAuthError, type Reason } from "../oauth/errors.ts";
import { familyEnd, lifetimesOf } from "../oauth/lifetimes.ts";
import { identityOf } from "../oauth/login-attributes.ts";
import type { ExchangeAttempt } from "../oauth/repositories.ts";
import { rememberResources } from "../oauth/resource-memory.ts";
import type { Server } from "../oauth/server.ts";
import { LONGEST_LIFE } from "../oauth/takeover.ts";
import { isBeforeFloor } from "../oauth/token-floor.ts";
import type { Presenter, TokenKind } from "../oauth/token-kind.ts";
import { hashFamilySecret } from "../oauth/tokens/refresh-token.ts";
import type { LeagueToken } from "./payload.ts";
import type { LeagueTokenReader } from "./reader.ts";
import {
  type LeagueTokenRepository,
  UNKNOWN_SIGN_IN_MS,
} from "./token-repository.ts";

/** The header of defuse/php-encryption in hexadecimal. Every league token begins with it. */
const PREFIX = "def50200";

/** The generation of a league token in the family that it becomes. */
const FIRST_GENERATION = 1;

/**
 * League tokens: the refresh tokens of the old server. The first exchange of a league token makes a family,
 * like any other, whose first token is the league token.
 */
export function leagueTokenKind(
  { families, settings }: Pick<Server, "families" | "settings">,
  reader: LeagueTokenReader,
  tokens: LeagueTokenRepository,
): TokenKind {
  /** Decrypts a token of the presenting client. */
  async function read(
    token: string,
    { client: { client_id }, network }: Presenter,
  ): Promise<LeagueToken | Reason> {
    const decrypted = await reader.read(token, {
      client_id,
      network: network(),
    });
    if (typeof decrypted === "string") return decrypted;
    return decrypted.client_id === client_id
      ? decrypted
      : "refresh_token_of_another_client";
  }

  const grantIdOf = ({ refresh_token_id }: LeagueToken) =>
    families.grantIdOf(tokens.familyIdOf(refresh_token_id));

  /** Makes the family of a token, as it is before its first exchange. */
  async function newFamily(
    { subject, sub_type, scope, expires_at }: LeagueToken,
    client: Client,
    { now, secret_hash, key_id }: ExchangeAttempt,
  ) {
    // The old server had no resources, so each refresh may choose one of the client's.
    const resource: string[] = [];
    return {
      login: {
        ...identityOf(client),
        subject,
        ...(sub_type && { sub_type }),
        scope,
        resource,
        ...(await rememberResources(client, resource)),
      },
      secret_hash,
      created_at: now,
      expires_at,
      ends_at: familyEnd(lifetimesOf(client, settings), now),
      key_id,
    };
  }

  return {
    needsFreshClient: true,
    longestLife: LONGEST_LIFE,

    recognises: (token) => token.startsWith(PREFIX),

    async present(token, presenter) {
      const found = await read(token, presenter);
      if (typeof found === "string") throw new OAuthError(found);
      const { client, log } = presenter;
      const { refresh_token_id, family_secret, expires_at } = found;
      return {
        family_id: tokens.familyIdOf(refresh_token_id),
        generation: FIRST_GENERATION,
        expires_at,
        family_secret,
        async exchange(attempt) {
          const family = await newFamily(found, client, attempt);
          const result = await tokens.adopt(found, family, attempt);
          if (result.outcome === "exchanged" && !result.retried) {
            const { subject } = found;
            const grant_id = grantIdOf(found);
            log.addEvent("league_token.exchanged", {
              subject,
              grant_id,
              refresh_token_id,
            });
          }
          return result;
        },
      };
    },

    async revoke(token, presenter) {
      const found = await read(token, presenter);
      if (found === "refresh_token_of_another_client")
        throw new OAuthError("token_of_another_client");
      if (typeof found === "string") return;
      const { client, log } = presenter;
      const secret_hash = await hashFamilySecret(found.family_secret);
      const key = { ...identityOf(client), secret_hash };
      await presenter.takeAssertion?.();
      log.begin("family");
      const result = await tokens.revokeOwn(found, key);
      if (result.outcome === "refused") throw new OAuthError(result.reason);
      if (result.outcome !== "revoked") return;
      const { subject } = result;
      const grant_id = grantIdOf(found);
      log.addRevocation({ subject, grant_id });
    },

    async read(token, { network }) {
      // No client has an empty id, so forged tokens that an administrator reads are counted apart.
      const guesser = { client_id: "", network: network() };
      const found = await reader.read(token, guesser);
      if (typeof found === "string") return undefined;
      const { refresh_token_id, client_id, subject, sub_type } = found;
      const { scope, expires_at, family_secret } = found;
      return {
        kind: "league_token",
        family_id: tokens.familyIdOf(refresh_token_id),
        refresh_token_id,
        generation: FIRST_GENERATION,
        login: {
          client_id,
          subject,
          ...(sub_type && { sub_type }),
          scope,
          resource: [],
        },
        expires_at,
        isOf: async ({ secret_hash }) =>
          equalBytes(secret_hash, await hashFamilySecret(family_secret)),
      };
    },

    async introspect(token, presenter, now: Seconds) {
      const found = await read(token, presenter);
      if (typeof found === "string" || now >= found.expires_at)
        return undefined;
      if (isBeforeFloor(presenter.client, UNKNOWN_SIGN_IN_MS)) return undefined;
      presenter.log.begin("family");
      if (!(await tokens.isExchangeable(found))) return undefined;
      const { subject, sub_type, client_id, scope, expires_at } = found;
      return {
        sub: subject,
        ...(sub_type && { sub_type }),
        client_id,
        ...(scope.length > 0 && { scope: scope.join(" ") }),
        exp: expires_at,
      };
    },
  };
}
