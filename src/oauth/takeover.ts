import type { Seconds } from "./duration.ts";
import type { Reason } from "./errors.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  FamilyKey,
  NewFamily,
  RevocationResult,
} from "./repositories.ts";

/**
 * The ports for tokens of a league server: what has to be known of its key, and what has to be kept of
 * its tokens. They throw as the others do (`repositories.ts`).
 */

/** Passport's default life of a refresh token, and more than the month of league's own documents: ISO 8601. */
export const LONGEST_LIFE = "P1Y";

/** What a league token says. */
export interface LeagueToken {
  refresh_token_id: string;
  client_id: string;
  /** The user, or the client where there was none. */
  subject: string;
  scope: string[];
  expires_at: Seconds;
  /** A function of the token, so that a retry leads to the same successor. */
  family_secret: Uint8Array;
}

/** Knows the old server's key. */
export interface LeagueTokenReader {
  /**
   * What a token says that the old server has made, or why it is none. May cost some ten milliseconds of
   * CPU: the client is authenticated before.
   *
   * @param caller who may try so many forged ones and no more
   * @throws OAuthError `league_tokens_limited`
   */
  open(token: string, caller: string): Promise<LeagueToken | Reason>;
}

/** As the old server's table has it. */
export type LeagueTokenEntry = Pick<
  LeagueToken,
  "refresh_token_id" | "expires_at"
>;

/** How many of the old server's tokens are known to be what. */
export interface Known {
  exchanged: number;
  revoked: number;
}

/** What has become of the old server's tokens: which are revoked, and which have a family. */
export interface LeagueTokenRepository {
  /** The id of the family that a token becomes. */
  familyIdOf(refreshTokenId: string): Uint8Array;
  /**
   * Makes a token's family and exchanges the token, in one atomic step. A token that was revoked makes
   * none, nor does one whose user was logged out.
   */
  exchange(
    token: LeagueTokenEntry,
    family: NewFamily,
    attempt: ExchangeAttempt,
  ): Promise<ExchangeResult>;
  /**
   * When it returns, none of the tokens is good, nor any login that one of them has become. Can be called
   * again.
   *
   * @returns how many logins it has ended
   */
  revoke(tokens: LeagueTokenEntry[]): Promise<number>;
  /** The same for one token, by whoever shows that it is theirs. */
  revokeOwn(token: LeagueTokenEntry, key: FamilyKey): Promise<RevocationResult>;
  /** Whether a token could be exchanged. */
  isGood(
    token: Pick<LeagueToken, "refresh_token_id" | "subject">,
  ): Promise<boolean>;
  /** How many of the tokens that have not expired are known. */
  count(): Promise<Known>;
  /** How many of these tokens are known; asking writes nothing. */
  countOf(refreshTokenIds: string[]): Promise<Known>;
}
