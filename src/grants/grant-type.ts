import type { Confirmation } from "../oauth/confirmation.ts";
import type { Seconds } from "../oauth/duration.ts";
import type { Client } from "../oauth/entities.ts";
import type { GrantTypeName } from "../oauth/grant-types.ts";
import type { Parameters } from "../oauth/parameters.ts";
import type { RequestLog } from "../oauth/request-log.ts";
import type { EarlyServer, Server } from "../oauth/server.ts";
import type { Settings } from "../oauth/settings.ts";
import type { TokenResponse } from "../oauth/tokens/token-response.ts";

/** A token request whose client is authenticated and may use the grant. */
export interface GrantRequest {
  client: Client;
  parameters: Parameters;
  /** The time of the request. It is read once, so that all checks agree. */
  now: Seconds;
  log: RequestLog;
  /** The keys that the request has proven. Left out: none. */
  proven?: Confirmation;
  /** Those of `proven` that new tokens are bound to, by the client's record. Left out: none. */
  bound_to?: Confirmation;
  /** The `jti` of the request's DPoP proof. */
  proof_id?: string;
  /** The client's assertion (`private_key_jwt`). Left out: it has authenticated in another way. */
  assertion?: { jti: string; iat?: Seconds };
  /**
   * Uses up the client's assertion. A grant that is not for single use by itself awaits it before it answers.
   *
   * @throws OAuthError `client_assertion_used`
   */
  takeAssertion: () => Promise<void>;
  /** Returns the network that the request came from (`networkOf`). */
  network: () => string;
  /** Returns the request's User-Agent; empty if it has none. */
  userAgent: () => string;
  /** Lets work go on behind the answer. */
  waitUntil: (work: Promise<unknown>) => void;
}

/** Work that a grant type has started. A failure matters only to the code that awaits it. */
export type Started = Record<string, Promise<unknown>>;

/** Why a request has not proven the key of its client or login: a `reason` of the event `refresh_token.stolen`. */
export type UnprovenReason =
  | "client_authentication"
  | "assertion_claims"
  | "recorded_assertion"
  | "proof_missing"
  | "proof_invalid";

/** A grant type (RFC 6749 section 4): one file, and one line in the registry (`index.ts`). */
export interface GrantType<
  Name extends GrantTypeName = GrantTypeName,
  Ahead extends Started = Started,
> {
  /** The value of `grant_type`. */
  type: Name;
  /** Tells whether the configuration turns the grant type on. Left out: it is always on. */
  isOn?: (settings: Settings) => boolean;
  /** The parameters that the grant type reads and that must not be repeated. */
  parameters: readonly string[];
  /**
   * Tells whether the request starts a login. Its client must then be read again, because an isolate's own
   * copy may be a minute old. Left out: the request never starts one.
   */
  needsFreshClient?: (server: EarlyServer, parameters: Parameters) => boolean;
  /**
   * Starts what need not wait for the client, while its record is read: checks without storage, and the reads of
   * a request that passes them. It throws nothing, because a refusal of the client comes first. Left out: nothing
   * is started.
   *
   * @param complete returns the server when its signing keys are ready
   */
  readAhead?(
    server: EarlyServer,
    request: Pick<GrantRequest, "parameters" | "now">,
    complete: () => Promise<Server>,
  ): Ahead;
  /**
   * Looks at a request of a client with a key that has not proven the key. It costs at most one call of an
   * object, for a genuine token. Left out: it says nothing about a theft.
   *
   * @param request `reason`: the `reason` of the event `refresh_token.stolen`
   */
  onUnproven?(
    server: EarlyServer,
    request: Pick<GrantRequest, "now" | "log"> & {
      client_id: string;
      reason: UnprovenReason;
    },
    started: Ahead,
  ): Promise<void>;
  /**
   * Answers a token request.
   *
   * @param started what `readAhead` has started
   * @throws OAuthError
   */
  respond(
    server: Server,
    request: GrantRequest,
    started: Ahead,
  ): Promise<TokenResponse>;
}
