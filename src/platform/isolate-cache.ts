import type { OAuthError } from "../oauth/errors.ts";
import { KV_LAG_MS } from "./kv-record-writer.ts";

/** The age up to which a cached record is good for ordinary reads, in milliseconds. */
export const CACHED_MAX_AGE_MS = 60_000;
/**
 * The age up to which a cached record is good for a caller that needs it fresh, in milliseconds. So an
 * isolate reads a key from KV at most once per second for such callers.
 */
export const FRESH_MAX_AGE_MS = 1_000;
/**
 * The most records that an isolate keeps. The number is bounded because any client id that is sent adds one.
 */
const MAX_ENTRIES = 1_000;

/** The result of reading a record: its value, or undefined if there is no record or it is malformed. */
export interface ReadResult<T> {
  value: T | undefined;
  malformed?: OAuthError;
}

interface RevisedResult<T> extends ReadResult<T> {
  /** Grows with each write of the record; 0 for a record that was not written by `KvRecordWriter`. */
  revision: number;
}

interface KvRead<T> extends RevisedResult<T> {
  /** The time at which the read from KV began, in milliseconds since 1970. */
  readStartedAt: number;
}

interface Entry<T> extends KvRead<T> {
  /** Until then this isolate's own write may be newer than what KV shows. Milliseconds since 1970. */
  ownWriteUntil: number;
  /** Until then one caller reads the key from KV, and the others get this entry. Milliseconds since 1970. */
  rereadUntil: number;
}

/** @throws OAuthError `record_malformed` */
export function valueOrThrow<T>({
  value,
  malformed,
}: ReadResult<T>): T | undefined {
  if (malformed) throw malformed;
  return value;
}

/**
 * The records that an isolate has read or written. Number and age are bounded. An older record never replaces
 * a newer one.
 */
export class IsolateCache<T> {
  /** In the order of reading, so that the first one is the oldest. */
  readonly #entries = new Map<string, Entry<T>>();

  /** Returns the cached record, however old it is. Reads nothing. */
  peek(key: string): T | undefined {
    return this.#entries.get(key)?.value;
  }

  /**
   * Returns the cached record if it is younger than `maxAgeMs`, else what `read` finds. While one caller
   * reads, the others get the cached record, if it is at most a second too old.
   *
   * @throws OAuthError `record_malformed`, and what `read` throws
   */
  async lookUp(
    key: string,
    maxAgeMs: number,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const entry = this.#entries.get(key);
    if (!entry) return read();
    const now = Date.now();
    const age = now - entry.readStartedAt;
    const isFresh = age < (entry.malformed ? FRESH_MAX_AGE_MS : maxAgeMs);
    const isBeingReread =
      now < entry.rereadUntil && age < maxAgeMs + FRESH_MAX_AGE_MS;
    if (isFresh || isBeingReread) return valueOrThrow(entry);
    entry.rereadUntil = now + FRESH_MAX_AGE_MS;
    try {
      return await read();
    } finally {
      entry.rereadUntil = 0;
    }
  }

  /** Keeps what KV showed, unless something newer is known. Returns the newest that is known. */
  storeRead(key: string, read: KvRead<T>): ReadResult<T> {
    const entry = this.#entries.get(key);
    const ownWrite = this.newerOwnWrite(key, read);
    if (ownWrite) return ownWrite;
    if (entry && read.readStartedAt < entry.readStartedAt) return entry;
    return this.#store(key, { ...read, ownWriteUntil: 0, rereadUntil: 0 });
  }

  /** Keeps a record that this isolate has written. */
  storeOwnWrite(key: string, value: T, revision: number): void {
    const now = Date.now();
    this.#store(key, {
      value,
      revision,
      readStartedAt: now,
      ownWriteUntil: now + KV_LAG_MS,
      rereadUntil: 0,
    });
  }

  /**
   * Returns this isolate's own write of a record if it is newer than what KV showed. A record without a
   * revision was written by hand (`wrangler kv key put`). Nothing says whether that was before or after the
   * own write, so the own write wins for the first minute only.
   */
  newerOwnWrite(
    key: string,
    read: RevisedResult<T>,
  ): ReadResult<T> | undefined {
    const entry = this.#entries.get(key);
    if (
      !entry ||
      Date.now() >= entry.ownWriteUntil ||
      read.revision >= entry.revision
    )
      return undefined;
    const writtenByHand =
      read.revision === 0 && (read.value !== undefined || read.malformed);
    const isOld = Date.now() - entry.readStartedAt >= CACHED_MAX_AGE_MS;
    return writtenByHand && isOld ? undefined : entry;
  }

  #store(key: string, entry: Entry<T>): Entry<T> {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > MAX_ENTRIES) this.#evictOne(entry.readStartedAt);
    return entry;
  }

  /** Removes the oldest entry that is not an own write which KV may not show yet; else the oldest. */
  #evictOne(now: number): void {
    let oldest: string | undefined;
    for (const [key, { ownWriteUntil }] of this.#entries) {
      oldest ??= key;
      if (ownWriteUntil > now) continue;
      this.#entries.delete(key);
      return;
    }
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
