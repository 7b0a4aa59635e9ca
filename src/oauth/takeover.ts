import type { Seconds } from "./duration.ts";

/**
 * ISO 8601: the longest life that a refresh token of the old server may have. Passport's default, which is
 * more than the month of league's own documents.
 */
export const LONGEST_LIFE = "P1Y";

/** A refresh token of the old server, as its table has it. */
export interface OldToken {
  refresh_token_id: string;
  expires_at: Seconds;
}

/** How many of the old server's tokens were exchanged here, and how many are revoked. */
export interface OldTokenCounts {
  exchanged: number;
  revoked: number;
}

/**
 * The port for an operator who moves from another server to this one: the state of the old server's
 * refresh tokens. It throws as the other ports do (`repositories.ts`).
 */
export interface Takeover {
  /** Whether the configuration has the old server's key, so that its tokens are accepted. */
  acceptsTokens: boolean;
  /**
   * Revokes tokens, and ends every login that one of them has become. Complete when it returns. It can be
   * called again.
   *
   * @returns how many logins it has ended
   */
  revoke(tokens: OldToken[]): Promise<number>;
  /** Counts the tokens that have not expired. */
  count(): Promise<OldTokenCounts>;
  /** Counts among these tokens. It writes nothing. */
  countOf(refreshTokenIds: string[]): Promise<OldTokenCounts>;
}
