import type { Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";
import type { ExchangeAttempt, ExchangeResult } from "./repositories.ts";
import type { RequestLog } from "./request-log.ts";

/** The claims that a refresh token carries. */
export interface RefreshTokenClaims {
  family_id: Uint8Array;
  generation: number;
  expires_at: Seconds;
  family_secret: Uint8Array;
}

/** A refresh token that a client presents: verified, but not yet exchanged. */
export interface PresentedToken extends RefreshTokenClaims {
  /** The one atomic step of a refresh. */
  exchange(attempt: ExchangeAttempt): Promise<ExchangeResult>;
}

/** The authenticated client that presents a token. */
export interface Presenter {
  client: Client;
  /** The network that the request came from. */
  network: () => string;
  log: RequestLog;
}

/** The claims of an introspection response (RFC 7662 section 2.2), without `active`. */
export type IntrospectionClaims = Record<string, unknown>;

/**
 * One kind of token that somebody may present: how it is recognised, and what each endpoint does with it.
 * `server.tokenKinds` lists them; nothing else asks which kind a token is.
 */
export interface TokenKind {
  /** Tells by the token's form whether it is of this kind; no other kind has the same form. */
  recognises(token: string): boolean;
  /**
   * Verifies a token for the refresh grant. Left out: tokens of this kind can't be exchanged.
   *
   * @throws OAuthError with the reason why the token is not valid
   */
  present?(token: string, presenter: Presenter): Promise<PresentedToken>;
  /**
   * Revokes a token, and with it its whole family (RFC 7009). A token that is not valid needs no
   * revocation (section 2.2).
   *
   * @throws OAuthError where section 2.1 wants a refusal
   */
  revoke(token: string, presenter: Presenter, now: Seconds): Promise<void>;
  /**
   * Describes a token to a client that may know of it (RFC 7662).
   *
   * @returns undefined for a token that is not active, for whatever reason
   */
  introspect(
    token: string,
    presenter: Presenter,
    now: Seconds,
  ): Promise<IntrospectionClaims | undefined>;
  /**
   * The exchange of such a token starts a login: its client must be read again, because an isolate's own
   * copy may be a minute old.
   */
  needsFreshClient?: true;
  /** ISO 8601: the longest life of such a token, where no family bounds it. */
  longestLife?: string;
}

/** Finds the kind of a token. Exactly one kind recognises it. */
export function kindOf(kinds: readonly TokenKind[], token: string): TokenKind {
  const kind = kinds.find((one) => one.recognises(token));
  if (!kind) throw new Error("no kind of token takes everything else");
  return kind;
}
