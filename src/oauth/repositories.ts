import type { Seconds } from "./duration.ts";
import type { Client, ClientTombstone, ScopeCatalogue } from "./entities.ts";
import type { Problem, Reason } from "./errors.ts";
import type { RequestedScope } from "./scope.ts";

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
  /** What is stored right now: also a deleted client's tombstone. */
  read(clientId: string): Promise<Client | ClientTombstone | undefined>;
  list(
    limit: number,
    cursor?: string,
  ): Promise<{ clients: Client[]; cursor?: string }>;
  save(client: Client): Promise<void>;
  /** Leaves a tombstone for some seconds (at least 60). */
  bury(tombstone: ClientTombstone, seconds: number): Promise<void>;
  /** The records that can't be read, among the first thousand. */
  problems(): Promise<Problem[]>;
}

export interface ScopeRepository {
  /** The catalogue, as this isolate knows it: at most a minute old. */
  catalogue(): Promise<ScopeCatalogue>;
  /** What is stored right now. */
  read(): Promise<ScopeCatalogue>;
  save(catalogue: ScopeCatalogue): Promise<void>;
}

/** What a family of refresh tokens is made of: one authorization of one subject for one client. */
export interface NewFamily {
  client_id: string;
  subject: string;
  /** The scopes and resources granted, which no exchange can widen. */
  scope: string[];
  resource: string[];
  /** SHA-256 of the secret that every token of the family carries. */
  secret_hash: Uint8Array;
  created_at: Seconds;
  /** When the first token expires. */
  expires_at: Seconds;
  /** When the family ends, however often it rotates. */
  ends_at: Seconds;
}

/** One attempt to exchange a refresh token, with all that the verdict depends on. */
export interface ExchangeAttempt {
  client_id: string;
  generation: number;
  secret_hash: Uint8Array;
  scope: RequestedScope;
  /** The scopes that the client may have today. */
  allowed_scope: string[];
  resource: string[];
  /** The resources that the client may ask for today. */
  allowed_resource: string[];
  now: Seconds;
  /** When the successor is to expire; never later than the family's end. */
  successor_expires_at: Seconds;
}

export type ExchangeResult =
  | {
      outcome: "exchanged";
      subject: string;
      scope: string[];
      resource: string[];
      generation: number;
      expires_at: Seconds;
      ends_at: Seconds;
    }
  | { outcome: "refused"; reason: Reason };

export interface FamilyRepository {
  /** Makes a family near the caller; its first token has generation 1. Returns its id, 32 bytes. */
  create(family: NewFamily): Promise<Uint8Array>;
  /** The one atomic step of a refresh. */
  exchange(
    familyId: Uint8Array,
    attempt: ExchangeAttempt,
  ): Promise<ExchangeResult>;
}
