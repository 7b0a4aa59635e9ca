import type { Confirmation } from "./confirmation.ts";
import type { Seconds } from "./duration.ts";
import type {
  Catalogues,
  Client,
  ClientTombstone,
  DeletedClient,
  ResourceCatalogue,
  ScopeCatalogue,
} from "./entities.ts";
import type { Problem, Reason } from "./errors.ts";
import type {
  LoginClaimChanges,
  LoginClaimName,
  LoginClaims,
} from "./login-claims.ts";
import type { CatchUp } from "./lifetimes.ts";
import type { ClientIdentity, LoginAttributes } from "./login-attributes.ts";
import type { ResourceDigests } from "./resource-memory.ts";
import type {
  RequestedScopeAndResource,
  ScopeAndResource,
} from "./scope-and-resource.ts";

/**
 * The interfaces to the storage: they say what is stored, and `platform/` decides where. Every method throws
 * OAuthError `storage_unavailable` if the storage can't be reached, and `record_malformed` if a stored record
 * can't be read.
 */

/** Stores clients. A disabled client is not found, as if it did not exist. It is read, listed and changed. */
export interface ClientRepository {
  /**
   * Finds a client in the isolate's own copy, which is at most a minute old.
   *
   * @param network that of a request that anybody may send. It limits how many metadata documents are fetched
   */
  find(clientId: string, network?: string): Promise<Client | undefined>;
  /** Finds a client without the isolate's own copy, at most once per second and client. */
  findAgain(clientId: string, network?: string): Promise<Client | undefined>;
  /**
   * Finds the client of an authorization request, as `findAgain` does, by a metadata document that is fresh.
   *
   * @throws OAuthError `metadata_documents_limited`, or why a document is not read (`metadata_document_...`)
   */
  findForSignIn(
    clientId: string,
    lookUp: SignInLookUp,
  ): Promise<Client | undefined>;
  /** Tells whether a client that was just not found is disabled. For the log. Looks at the isolate's own copy. */
  isDisabled(clientId: string): boolean;
  /** Reads the current record without any cache. For a deleted client it is the tombstone. */
  read(clientId: string): Promise<Client | ClientTombstone | undefined>;
  /** Lists the clients whose ids begin with a text, a page at a time. */
  list(query: ClientQuery): Promise<ClientPage>;
  /** Lists the deleted clients that can be restored, as `list` does. */
  listDeleted(
    query: ClientQuery,
    now: Seconds,
  ): Promise<ClientPage<DeletedClient>>;
  /**
   * Makes or changes a client in one atomic step.
   *
   * @param change makes the new record. It is called again if another change was faster. `current` throws
   *   `record_malformed` if the current record can't be read
   */
  update(
    clientId: string,
    change: (current: () => Client | ClientTombstone | undefined) => Client,
  ): Promise<Client>;
  /** Like `update`, but the new record is a tombstone, which disappears after `seconds` (at least 60). */
  replaceWithTombstone(
    clientId: string,
    change: (current: () => Client | ClientTombstone | undefined) => {
      tombstone: ClientTombstone;
      seconds: number;
    },
  ): Promise<void>;
  /** Reads the first 1,000 records, to check them. */
  survey(): Promise<ClientSurvey>;
}

/** The facts that a look-up for an authorization request knows. */
export interface SignInLookUp {
  /** The network that the request came from. Empty: nobody knows it. */
  network: string;
  /** Tells whether the client fits the request. If not, its metadata document is read again. */
  isWanted: (client: Client) => boolean;
}

/** The result of a check of the client records. */
export interface ClientSurvey {
  clients: Client[];
  /** The records that can't be read. */
  malformed: Problem[];
  /** True: there are more records than were read. */
  hasMore: boolean;
}

/** One page of clients that a caller asks for. */
export interface ClientQuery {
  /** The most clients of a page. */
  limit: number;
  /** The `cursor` of the page before. */
  cursor?: string | undefined;
  /** The first characters of the ids. */
  prefix?: string | undefined;
}

/** One page of a list of clients. */
export interface ClientPage<T extends Client = Client> {
  clients: T[];
  /** The records of the page that can't be read. */
  malformed: Problem[];
  /** The cursor for the next page. Left out: there is no next page. */
  cursor?: string;
}

/** Stores one catalogue: that of scopes, or that of protected resources. */
export interface CatalogueRepository<T> {
  /** Finds the catalogue in the isolate's own copy, which is at most a minute old. */
  catalogue(): Promise<T>;
  /** Finds the catalogue without the isolate's own copy, at most once per second. */
  catalogueAgain(): Promise<T>;
  /** Reads the current catalogue without any cache. */
  read(): Promise<T>;
  /** Lists the problem of the record if it can't be read. */
  problems(): Promise<Problem[]>;
  /** Changes the catalogue in one atomic step. `change` is called again if another change was faster. */
  update(change: (current: T) => T): Promise<T>;
}

export type ScopeRepository = CatalogueRepository<ScopeCatalogue>;
export type ResourceRepository = CatalogueRepository<ResourceCatalogue>;

/** Finds both catalogues by one read of the storage, each as its own repository does. */
export interface CataloguesRepository {
  /** As `catalogue`. */
  find(): Promise<Catalogues>;
  /** As `catalogueAgain`. */
  findAgain(): Promise<Catalogues>;
  /** As `read`. */
  read(): Promise<Catalogues>;
}

/** Limits how many clients may register themselves. */
export interface RegistrationQuota {
  /** Lists the bindings that are missing. */
  problems(): Problem[];
  /**
   * Takes one registration of today.
   *
   * @param network the network that the request came from. Empty: nobody knows it
   * @throws OAuthError `registrations_limited`, `registrations_used_up` or `registration_not_bound`
   */
  take(network: string, perDay: number): Promise<void>;
  /** Counts a change of a registration. @throws OAuthError `registrations_limited` */
  limitNetwork(network: string): Promise<void>;
  /** Asks a binding, to see whether it answers. It takes nothing. */
  ask(binding: string): Promise<void>;
}

/** A family of refresh tokens before it begins: one authorization of one client by one subject. */
export interface NewFamily {
  /** No exchange can widen the scope or resource of the login. */
  login: LoginAttributes;
  /** SHA-256 of the family secret. */
  secret_hash: Uint8Array;
  created_at: Seconds;
  /** The time when the first token expires. */
  expires_at: Seconds;
  /** The time when the family ends, however often it rotates. */
  ends_at: Seconds;
  /** The id of the key that makes the first token. */
  key_id: number;
}

/** One attempt to redeem an authorization code or a league token. It makes a family. */
export interface Redemption {
  /** Unique per attempt. A call that is repeated because its answer was lost has the same id. */
  attempt_id: string;
  /** The id of the code. For a league token it is the `refresh_token_id`. */
  code_id: string;
  /** The time when the user authorized the code, in milliseconds since 1970. 0 for a league token. */
  authorized_at_ms: number;
  /** From this time on, no code and no league token can make this family. */
  redeemable_until: Seconds;
  /** The digest of the `jti` of the DPoP proof with which a code is redeemed: a replay of that proof ends no login. */
  proof_digest?: string;
  /** The digest of the assertion with which a code is redeemed (`SeenAssertion`). Its replay ends no login, and is no late holder's. */
  assertion_digest?: string;
}

/** The result of a redemption: the family has begun, or the reason of the refusal. */
export type RedemptionResult =
  { outcome: "redeemed" } | { outcome: "refused"; reason: Reason };

/** The proof that a token is of the family, and that the family is the client's. */
export interface FamilyKey extends ClientIdentity {
  /** Left out for an access token and an ID token, because their signatures are the proof. */
  secret_hash?: Uint8Array;
  /** The proof is an ID token that a browser has brought, so the client may not know of the end. */
  by_hint?: true;
}

/** Fingerprints of where a request comes from (`fingerprint.ts`): for the log, never to decide. */
export interface Origin {
  network: number;
  user_agent: number;
}

/** An assertion (RFC 7523) as a family knows it. */
export interface SeenAssertion {
  /** Tells its `jti` from every other one. */
  digest: string;
  /** The time when the client says that it was made. Left out: it does not say. */
  iat?: Seconds;
}

/** One attempt to exchange a refresh token, with everything that the verdict depends on. */
export interface ExchangeAttempt extends FamilyKey {
  /** Unique per attempt. A call that is repeated because its answer was lost has the same id. */
  attempt_id: string;
  /** The generation of the presented token. */
  generation: number;
  secret_hash: Uint8Array;
  requested: RequestedScopeAndResource;
  /** The scopes and resources that the client may have today. */
  allowed: ScopeAndResource;
  /** The digests of the requested resources that the client may ask for today. */
  resource_digests: ResourceDigests;
  now: Seconds;
  /** The time when the successor expires. The family cuts it to its `ends_at`. */
  successor_expires_at: Seconds;
  /** The successor says why it expires. Left out: the Worker is of a version whose tokens say nothing. */
  says_why_expired?: true;
  /** The id of the key that makes the successor. */
  key_id: number;
  origin: Origin;
  /** ISO 8601: the client's retry window, which begins when the newest token was made. */
  retry_window: string;
  /** ISO 8601: the client's longest life of a family today. A family that is older ends. */
  refresh_token_max_age: string;
  /** The `tokens_not_before` of the client's record. A family that was authorized by then ends. */
  tokens_not_before?: Seconds;
  /** The keys that the request has proven. Left out: none, or the Worker is of an older version. */
  proven?: Confirmation;
  /** The proven keys to which the successor of a public client's bearer token is bound (RFC 9449 section 5). */
  binds?: Confirmation;
  /** Only of a client with `private_key_jwt`. Left out: it has none, or the Worker is of an older version. */
  assertion?: SeenAssertion;
  /** Left out: a used token never leads to the current one, or the Worker is of an older version. */
  catch_up?: CatchUp;
  /** What the refresh hook changes of the login. It is stored with the successor. Left out: nothing. */
  claim_changes?: LoginClaimChanges;
  /** The fields that the hook changes, as the hook saw them. Left out: the Worker is of an older version. */
  claims_seen?: LoginClaims;
}

/** For the log: a used token with a good proof, which has led to the current one. */
export interface CaughtUp extends Retry {
  newest_generation: number;
}

/** For the log: a genuine token that somebody has sent who has not shown to be its holder. */
export interface Stolen {
  generation: number;
  newest_generation: number;
  /**
   * `none`: the request has proven no key. `another_key`: it has proven another one. `recorded`: it has an assertion that
   * was sent before.
   */
  proof: "none" | "another_key" | "recorded";
}

/** For the log: how a used token came back. */
export interface Reuse {
  /** The generation of the used token. */
  generation: number;
  newest_generation: number;
  /** The time since the newest token was made. */
  seconds_since_exchange: number;
  looks_like: "late_retry" | "theft";
}

/** A used token that came back inside the retry window: for the log. */
export interface Retry {
  /** The generation of the used token. */
  generation: number;
  seconds_since_exchange: number;
  /** Whether the retry comes from another network, or another user agent, than the exchange. */
  network_differs: boolean;
  user_agent_differs: boolean;
}

/** For the log: changes of the refresh hook that were not applied, and the fields that keep their values. */
export interface UnappliedChanges {
  /**
   * `overtaken`: the fields were changed while the hook decided. `too_large`: with such a change, all fields together
   * would be too large.
   */
  reason: "overtaken" | "too_large";
  fields: LoginClaimName[];
}

/** The result of an exchange: the data of the successor, or the reason of the refusal. */
export type ExchangeResult =
  | {
      outcome: "exchanged";
      /** True: the successor existed already, because this was a retry. */
      retried: boolean;
      /** Only for a retry by the client, inside the retry window. */
      retry?: Retry;
      /** Only for a used token that has led its holder to the current one. */
      caught_up?: CaughtUp;
      /** Only if the refresh hook changes something that cannot be changed any more. */
      unapplied?: UnappliedChanges;
      login: LoginAttributes;
      /** The scopes and resources of the access token of this exchange. */
      granted: ScopeAndResource;
      /** The generation of the successor. */
      generation: number;
      /** The time when the successor expires. */
      expires_at: Seconds;
      /** The successor says why it expires. A retry then gets the same string, also while another version runs. */
      says_why_expired?: true;
      /** The time when the family ends, however often it rotates. A family of an older version leaves it out. */
      ends_at?: Seconds;
      /** The id of the key that makes the successor. */
      key_id: number;
    }
  | {
      outcome: "refused";
      reason: Reason;
      reuse?: Reuse;
      /** Only for a token without a proof that its holder has sent it. The login goes on. */
      stolen?: Stolen;
      /** Only for `reuse` and `stolen`: the user of the login. A family of an older version leaves it out. */
      subject?: string;
    };

/** The result of ending a family. `ended_before`: it had already ended, or it does not exist. */
export type RevocationResult =
  /** `subject`: the user of the login. A family of an older version leaves it out. */
  | { outcome: "revoked"; subject?: string }
  | { outcome: "ended_before" }
  | { outcome: "refused"; reason: Reason };

/** The result of changing a login's claims. */
export type ClaimsResult =
  | { outcome: "changed"; family: FamilyState }
  /** It has ended or expired, or it does not exist. */
  | { outcome: "ended" }
  /** All fields together would have so many bytes. Nothing has changed. */
  | { outcome: "too_large"; bytes: number };

/** The state of a family that has not ended. */
export interface FamilyState extends Omit<NewFamily, "key_id"> {
  /** The time when the user authorized the family. 0, before every other time, for a league token. */
  authorized_at: Seconds;
  /** The time when the newest token expires. */
  expires_at: Seconds;
  /** The generation of the newest token. */
  generation: number;
  /** The time when the newest token was made. */
  last_used_at: Seconds;
  /** The generation of the first token that is bound to `login.cnf`. Left out: every one is, or none. */
  bound_since?: number;
  /** The client's newest assertions. */
  last_assertions?: SeenAssertion[];
  /** Every assertion of an earlier exchange that is not in `last_assertions` has an `iat` before this time, or none. */
  assertions_since?: Seconds;
}

/** Stores families of refresh tokens. */
export interface FamilyRepository {
  /**
   * Makes a family whose first token has generation 1. The subject index has the family when this returns.
   *
   * @returns the family's id, 32 bytes
   */
  create(family: NewFamily): Promise<Uint8Array>;
  /** Makes the id of a family that may begin later. No storage is called. */
  newId(): Uint8Array;
  /**
   * Makes the family of an authorization code, as `create` does. The same code again within ten seconds is
   * refused; later it ends the family (RFC 6749 section 4.1.2). Another code of the same authorization request
   * is refused and changes nothing. A code that was authorized before its user was logged out everywhere is
   * refused.
   */
  redeem(
    familyId: Uint8Array,
    family: NewFamily,
    redemption: Redemption,
  ): Promise<RedemptionResult>;
  /** Exchanges a token for its successor: the one atomic step of a refresh. */
  exchange(
    familyId: Uint8Array,
    attempt: ExchangeAttempt,
  ): Promise<ExchangeResult>;
  /**
   * Ends a family. When it returns, no refresh token of the family can be exchanged anywhere.
   *
   * @param key the client's proof; left out for an administrator
   */
  revoke(familyId: Uint8Array, key?: FamilyKey): Promise<RevocationResult>;
  /** Changes what the login says about the user, in one atomic step. */
  changeClaims(
    familyId: Uint8Array,
    changes: LoginClaimChanges,
    now: Seconds,
  ): Promise<ClaimsResult>;
  /** Reads the state of a family. Its newest token may have expired. Undefined: the family has ended. */
  look(familyId: Uint8Array): Promise<FamilyState | undefined>;
  /** Lists the families of a subject that have not ended and not expired, a page at a time. */
  ofSubject(
    subject: string,
    now: Seconds,
    limit: number,
    cursor?: string,
  ): Promise<{
    grants: (FamilyState & { grant_id: string })[];
    cursor?: string;
  }>;
  /**
   * Ends every family of a subject. Complete when it returns. If it throws, it can be called again and goes on
   * with the rest.
   *
   * @returns the number of families that it ended
   * @throws OAuthError whose details say how many it ended (`revoked`); `logout_incomplete` if there are too
   *   many for one call
   */
  revokeAll(subject: string): Promise<number>;
  /**
   * Ends every family of a subject whose login has this `sid`. Complete when it returns. It may be repeated.
   *
   * @param note gets the `grant_id` of each family that it ends
   * @param except a family that it leaves alone, because the caller ends it
   * @throws OAuthError `storage_unavailable` if some families could not be reached, `logout_session_incomplete` if
   *   the subject has too many for one call
   */
  revokeSession(
    subject: string,
    sid: string,
    note: (grantId: string) => void,
    except?: Uint8Array,
  ): Promise<void>;
  /** Parses a `grant_id` of the admin API into a family's id. Undefined: it is not the id of a family. */
  parseGrantId(grantId: string): Uint8Array | undefined;
  /** Returns the `grant_id` of a family. */
  grantIdOf(familyId: Uint8Array): string;
}
