import type { Seconds } from "../oauth/duration.ts";
import type { Client } from "../oauth/entities.ts";
import { OAuthError, type Reason } from "../oauth/errors.ts";
import type { LeagueToken } from "../oauth/takeover.ts";
import { familyEnd, lifetimesOf } from "../oauth/lifetimes.ts";
import {
  hashFamilySecret,
  type PresentedToken,
} from "../oauth/tokens/refresh-token.ts";
import type { ExchangeAttempt, ExchangeResult } from "../oauth/repositories.ts";
import type { RequestLog } from "../oauth/request-log.ts";
import type { Server } from "../oauth/server.ts";

/**
 * Refresh tokens of a server made with league/oauth2-server, from which this one takes over. Each is good
 * for one exchange, and becomes a family by it: one like any other, whose first token the old one was.
 */

/** What each begins with: the header of defuse/php-encryption, in hexadecimal. */
const PREFIX = "def50200";

/** The place of the old token in its family. */
const FIRST_GENERATION = 1;

/** Whether a token says that it is one: no other kind begins so. */
export function isLeagueToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** Who presents a token. */
interface Presenter {
  client: Client;
  /** The network that the request came from. */
  network: () => string;
}

/**
 * The league token that a client presents, as the first of the family that it becomes.
 *
 * @throws OAuthError
 */
export async function openLeagueToken(
  server: Server,
  token: string,
  presenter: Presenter & { log: RequestLog },
): Promise<PresentedToken> {
  const found = await findLeagueToken(server, token, presenter);
  if (typeof found === "string") throw new OAuthError(found);
  const { client, log } = presenter;
  const { refresh_token_id, family_secret, expires_at } = found;
  return {
    family_id: server.leagueTokens.familyIdOf(refresh_token_id),
    generation: FIRST_GENERATION,
    expires_at,
    family_secret,
    async exchange(attempt) {
      const result = await exchange(server, found, client, attempt);
      if (result.outcome === "exchanged" && !result.retried)
        log.tell("league_token.exchanged", { refresh_token_id });
      return result;
    },
  };
}

function exchange(
  { leagueTokens, settings }: Server,
  token: LeagueToken,
  client: Client,
  attempt: ExchangeAttempt,
): Promise<ExchangeResult> {
  const { now, secret_hash, key_id } = attempt;
  const { subject, scope, expires_at } = token;
  const family = {
    client_id: client.client_id,
    client_issued_at: client.client_id_issued_at,
    subject,
    scope,
    // The old server knew of no resources: each refresh may choose.
    resource: [],
    secret_hash,
    created_at: now,
    expires_at,
    ends_at: familyEnd(lifetimesOf(client, settings), now),
    key_id,
  };
  return leagueTokens.exchange(token, family, attempt);
}

/**
 * Revokes a league token, and the login that it may have become (RFC 7009): what is none is no good
 * already.
 *
 * @throws OAuthError `token_of_another_client`
 */
export async function revokeLeagueToken(
  server: Server,
  token: string,
  presenter: Presenter,
): Promise<void> {
  const found = await findLeagueToken(server, token, presenter);
  if (found === "refresh_token_of_another_client")
    throw new OAuthError("token_of_another_client");
  if (typeof found === "string") return;
  const { client_id, client_id_issued_at: client_issued_at } = presenter.client;
  const secret_hash = await hashFamilySecret(found.family_secret);
  const key = { client_id, client_issued_at, secret_hash };
  const result = await server.leagueTokens.revokeOwn(found, key);
  if (result.outcome === "refused") throw new OAuthError(result.reason);
}

/** What introspection says of a league token that could be exchanged (RFC 7662 section 2.2). */
export async function introspectLeagueToken(
  server: Server,
  token: string,
  presenter: Presenter,
  now: Seconds,
): Promise<Record<string, unknown> | undefined> {
  const found = await findLeagueToken(server, token, presenter);
  if (typeof found === "string" || now >= found.expires_at) return undefined;
  if (!(await server.leagueTokens.isGood(found))) return undefined;
  const { subject, client_id, scope, expires_at } = found;
  return {
    sub: subject,
    client_id,
    ...(scope.length > 0 && { scope: scope.join(" ") }),
    exp: expires_at,
  };
}

async function findLeagueToken(
  { league }: Server,
  token: string,
  { client: { client_id }, network }: Presenter,
): Promise<LeagueToken | Reason> {
  if (!league) return "refresh_token_malformed";
  const opened = await league.open(token, `${client_id} ${network()}`);
  if (typeof opened === "string") return opened;
  return opened.client_id === client_id
    ? opened
    : "refresh_token_of_another_client";
}
