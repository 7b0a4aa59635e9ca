import type { Seconds } from "./duration.ts";

/**
 * ISO 8601: the longest lifetime of a league token. It is Passport's default, which is longer than the month
 * in league's own documentation.
 */
export const LONGEST_LIFE = "P1Y";

/** A league token, as a row of the old server's table. */
export interface OldToken {
  refresh_token_id: string;
  expires_at: Seconds;
}

/** The numbers of league tokens that were exchanged here and that are revoked. */
export interface OldTokenCounts {
  exchanged: number;
  revoked: number;
}

/**
 * The state of league tokens, for an operator who moves from the old server to this one. Its methods throw
 * like those of `repositories.ts`.
 */
export interface Takeover {
  /** True: the configuration has the old server's key, so league tokens are accepted. */
  acceptsTokens: boolean;
  /**
   * Revokes tokens and ends every family that came from one of them. Complete when it returns. It can be
   * called again.
   *
   * @returns the number of families that it ended
   */
  revoke(tokens: OldToken[]): Promise<number>;
  /** Counts all tokens that have not expired. */
  count(): Promise<OldTokenCounts>;
  /** Counts these tokens only. It writes nothing. */
  countOf(refreshTokenIds: string[]): Promise<OldTokenCounts>;
}
