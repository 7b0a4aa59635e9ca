import type { Confirmation } from "./confirmation.ts";
import type { Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
  FamilyState,
} from "./repositories.ts";
import type { TokenExpiry } from "./refresh-token-layout.ts";
import type { RequestLog } from "./request-log.ts";

/** The claims that a refresh token carries. */
export interface RefreshTokenClaims extends TokenExpiry {
  family_id: Uint8Array;
  generation: number;
  family_secret: Uint8Array;
}

/** A refresh token that a client presents. It is verified, but not yet exchanged. */
export interface PresentedToken extends RefreshTokenClaims {
  /** Exchanges the token for its successor: the one atomic step of a refresh. */
  exchange(attempt: ExchangeAttempt): Promise<ExchangeResult>;
}

/** The authenticated client that presents a token. */
export interface Presenter {
  client: Client;
  /** Returns the IP network that the request came from. */
  network: () => string;
  log: RequestLog;
  /**
   * Uses up the client's assertion. A kind awaits it when a token is genuine, before it ends anything, so that a forged
   * token costs no call. Left out: the endpoint does it, or the client has none.
   */
  takeAssertion?: () => Promise<void>;
}

/** The claims of an introspection response (RFC 7662 section 2.2), without `active`. */
export type IntrospectionClaims = Record<string, unknown>;

/** The content of a token that this server has made, or took over. Only signature or MAC are verified. */
export interface TokenContent {
  kind: "access_token" | "refresh_token" | "league_token" | "id_token";
  /** Left out: the token is the client's own, without a user. */
  family_id?: Uint8Array;
  /** Only of a league token: its id at the old server. */
  refresh_token_id?: string;
  /** Only of a refresh token. The first is 1. */
  generation?: number;
  /** What the token says of its login. Left out: only its family knows it. */
  login?: {
    client_id: string;
    subject: string;
    sub_type?: "client";
    /** Left out: an ID token has neither scope nor resource. */
    scope?: string[];
    resource?: string[];
    /** The keys that the token is bound to. Left out: none. */
    cnf?: Confirmation;
  };
  issued_at?: Seconds;
  expires_at: Seconds;
  /** Tells whether the family can be the token's: the secret fits, or user and client do. */
  isOf: (family: FamilyState) => Promise<boolean>;
}

/**
 * One kind of token that somebody may present: it recognises its tokens and implements what each endpoint
 * needs. `server.tokenKinds` lists all kinds. No other code asks which kind a token is.
 */
export interface TokenKind {
  /** Tells by the form of a token whether it is of this kind. No other kind has the same form. */
  recognises(token: string): boolean;
  /**
   * Verifies a refresh token for its exchange, without storage and at the cost of one MAC. The caller checks the
   * expiry. It may call this while the client is looked up, and then gives the refusal only after the client is
   * authenticated. Left out: a client must be authenticated first (`present`).
   *
   * @throws OAuthError with the reason if the token is not valid
   */
  verify?(token: string): Promise<PresentedToken>;
  /**
   * Like `verify`, for a kind whose tokens only an authenticated client may present. A kind with neither method
   * has tokens that cannot be exchanged.
   */
  present?(token: string, presenter: Presenter): Promise<PresentedToken>;
  /**
   * Revokes a token and its family (RFC 7009). A token that is not valid is ignored (section 2.2).
   *
   * @throws OAuthError `token_of_another_client`, `token_not_revocable`, `id_token_not_revocable` or a reason of the
   *   family (sections 2.1 and 2.2.1)
   */
  revoke(token: string, presenter: Presenter, now: Seconds): Promise<void>;
  /**
   * Describes a token to a client (RFC 7662).
   *
   * @returns undefined if the token is not active, or if the client may not introspect it
   */
  introspect(
    token: string,
    presenter: Presenter,
    now: Seconds,
  ): Promise<IntrospectionClaims | undefined>;
  /**
   * Reads a token for an administrator, also an expired one.
   *
   * @returns undefined if the token is not valid
   */
  read(
    token: string,
    by: Pick<Presenter, "network">,
  ): Promise<TokenContent | undefined>;
  /**
   * True: the exchange of such a token starts a login. Then the client is read again, because an isolate's
   * own copy may be a minute old.
   */
  needsFreshClient?: true;
  /** ISO 8601: the longest lifetime of such a token, if no family bounds it. */
  longestLife?: string;
}

/** Finds the one kind that recognises a token. */
export function kindOf(kinds: readonly TokenKind[], token: string): TokenKind {
  const kind = kinds.find((candidate) => candidate.recognises(token));
  if (!kind) throw new Error("no token kind recognises the token");
  return kind;
}
