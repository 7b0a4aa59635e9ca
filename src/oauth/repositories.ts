import type { Seconds } from "./duration.ts";
import type { Client, ClientTombstone, ScopeCatalogue } from "./entities.ts";
import type { Problem, Reason } from "./errors.ts";
import type { ClientIdentity, LoginAttributes } from "./login-attributes.ts";
import type {
  RequestedScopeAndResource,
  ScopeAndResource,
} from "./scope-and-resource.ts";

/**
 * The ports: what the protocol needs to have kept, and nothing of where. All of them throw
 * OAuthError `storage_unavailable` when the storage can't be reached, and `record_malformed` when
 * what it holds can't be read.
 */

export interface ClientRepository {
  /** The client, as this isolate knows it: at most a minute old. */
  find(clientId: string): Promise<Client | undefined>;
  /** The same, past the isolate's own copy, at most once a second a client. */
  findAgain(clientId: string): Promise<Client | undefined>;
  /** What stands right now, past every cache: also a deleted client's tombstone. */
  read(clientId: string): Promise<Client | ClientTombstone | undefined>;
  list(limit: number, cursor?: string): Promise<ClientPage>;
  /**
   * Makes or changes a client in one atomic step, whoever else changes it at the same time.
   *
   * @param change makes the new record; may be called again when somebody else was faster. `current`
   *   throws `record_malformed` when what stands can't be read
   */
  update(
    clientId: string,
    change: (current: () => Client | ClientTombstone | undefined) => Client,
  ): Promise<Client>;
  /** Like `update`, and leaves a tombstone for some seconds (at least 60). */
  bury(
    clientId: string,
    change: (current: () => Client | ClientTombstone | undefined) => {
      tombstone: ClientTombstone;
      seconds: number;
    },
  ): Promise<void>;
  /** The records that can't be read, among the first thousand. */
  problems(): Promise<Problem[]>;
}

export interface ClientPage {
  clients: Client[];
  /** The records of the page that can't be read. */
  malformed: Problem[];
  /** There is more. */
  cursor?: string;
}

export interface ScopeRepository {
  /** The catalogue, as this isolate knows it: at most a minute old. */
  catalogue(): Promise<ScopeCatalogue>;
  /** The same, past the isolate's own copy, at most once a second. */
  catalogueAgain(): Promise<ScopeCatalogue>;
  /** What stands right now, past every cache. */
  read(): Promise<ScopeCatalogue>;
  /** What is wrong with the record, if anything. */
  problems(): Promise<Problem[]>;
  /** Changes the catalogue in one atomic step; `change` may be called again. */
  update(
    change: (current: ScopeCatalogue) => ScopeCatalogue,
  ): Promise<ScopeCatalogue>;
}

/** What a family of refresh tokens is made of: one authorization of one subject for one client. */
export interface NewFamily {
  /** No exchange can widen it. */
  login: LoginAttributes;
  /** SHA-256 of the secret that every token of the family carries. */
  secret_hash: Uint8Array;
  created_at: Seconds;
  /** When the first token expires. */
  expires_at: Seconds;
  /** When the family ends, however often it rotates. */
  ends_at: Seconds;
  /** Which key makes the first token. */
  key_id: number;
}

/** The redemption of an authorization code, which makes a family. */
export interface Redemption {
  /** Unique: the same attempt may be made again when its answer was lost. */
  attempt_id: string;
  code_id: string;
  /** When the user authorized it, in milliseconds since 1970. */
  authorized_at_ms: number;
  /** From then on no code for this family can be good any more. */
  redeemable_until: Seconds;
}

export type RedemptionResult =
  { outcome: "redeemed" } | { outcome: "refused"; reason: Reason };

/** The proof that a token belongs to a family, and that the family belongs to the client. */
export interface FamilyKey extends ClientIdentity {
  /** Left out where the token was an access token: its signature is the proof. */
  secret_hash?: Uint8Array;
}

/** One attempt to exchange a refresh token, with all that the verdict depends on. */
export interface ExchangeAttempt extends FamilyKey {
  /** Unique: the same attempt may be made again when its answer was lost. */
  attempt_id: string;
  generation: number;
  secret_hash: Uint8Array;
  requested: RequestedScopeAndResource;
  /** What the client may have today. */
  allowed: ScopeAndResource;
  now: Seconds;
  /** When the successor is to expire; never later than the family's end. */
  successor_expires_at: Seconds;
  /** Which key would make the successor. */
  key_id: number;
  /** ISO 8601: for how long the used token may come back. */
  retry_window: string;
}

/** How a used token came back: for the log. */
export interface Reuse {
  generation: number;
  newest_generation: number;
  /** Since the newest token was made. */
  seconds_since_exchange: number;
  looks_like: "late_retry" | "theft";
}

export type ExchangeResult =
  | {
      outcome: "exchanged";
      /** The successor was there already: the answer to a retry. */
      retried: boolean;
      login: LoginAttributes;
      /** What the access token of this exchange is for. */
      granted: ScopeAndResource;
      generation: number;
      expires_at: Seconds;
      /** Which key made the successor. */
      key_id: number;
    }
  | { outcome: "refused"; reason: Reason; reuse?: Reuse };

export type RevocationResult =
  | { outcome: "revoked" | "ended_before" }
  | { outcome: "refused"; reason: Reason };

/** A family that has not ended. */
export interface FamilyState extends Omit<NewFamily, "ends_at" | "key_id"> {
  /** When the newest token expires. */
  expires_at: Seconds;
  generation: number;
  last_used_at: Seconds;
}

export interface FamilyRepository {
  /**
   * Makes a family near the caller; its first token has generation 1. When it returns, the subject's
   * index has it.
   *
   * @returns the family's id, 32 bytes
   */
  create(family: NewFamily): Promise<Uint8Array>;
  /** The id of a family that may be made one day: nothing is asked or stored. */
  newId(): Uint8Array;
  /**
   * Makes a family of an id, as `create` does, for the one authorization code that comes first. That
   * code once more ends the family (RFC 6749 section 4.1.2); another one of the same request is
   * refused and does no harm. One from before its user was logged out everywhere makes none.
   */
  redeem(
    familyId: Uint8Array,
    family: NewFamily,
    redemption: Redemption,
  ): Promise<RedemptionResult>;
  /** The one atomic step of a refresh. */
  exchange(
    familyId: Uint8Array,
    attempt: ExchangeAttempt,
  ): Promise<ExchangeResult>;
  /** Ends a family. When it returns, no token of the family is good anywhere. */
  revoke(familyId: Uint8Array, key?: FamilyKey): Promise<RevocationResult>;
  /** A family, or undefined if it has ended; its newest token may have expired. */
  look(familyId: Uint8Array): Promise<FamilyState | undefined>;
  /** The living families of a subject, a page at a time. */
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
   * Ends every family of a subject: complete when it returns. When it throws it may have ended some,
   * and can be called again.
   *
   * @returns how many it has ended
   */
  revokeAll(subject: string): Promise<number>;
  /** The id that the admin API calls `grant_id`, as bytes; undefined if it names no family. */
  parseGrantId(grantId: string): Uint8Array | undefined;
}
