import type { OAuthError } from "../oauth/errors.ts";
import { KV_LAG_MS } from "./kv-record-writer.ts";

/** How long an isolate trusts what it read. */
export const KEEP_MS = 60_000;
/** How soon an isolate looks past its own copy of a key again. */
export const LOOK_AGAIN_MS = 1_000;
/** How many records an isolate keeps: bounded, because whoever sends client ids fills it. */
const MAX_ENTRIES = 1_000;

/** A record as it was read: a value, or nothing, or something that can't be read. */
export interface Reading<T> {
  value: T | undefined;
  malformed?: OAuthError;
}

interface DatedReading<T> extends Reading<T> {
  /** Of what KV showed: it grows with each write; 0 for records that were put there by hand. */
  revision: number;
  /** When KV was asked for it. */
  askedAt: number;
}

interface Entry<T> extends DatedReading<T> {
  /** Until then this isolate's own write is newer than what KV may show. */
  ownUntil: number;
  /** Until then somebody is asking again: others make do with what there is. */
  askingUntil: number;
}

/** @throws OAuthError `record_malformed` */
export function valueOf<T>({ value, malformed }: Reading<T>): T | undefined {
  if (malformed) throw malformed;
  return value;
}

/**
 * What an isolate remembers of the records that it has read and written: bounded in number and in
 * age, and never going back in time.
 */
export class IsolateCache<T> {
  /** In the order of reading, so that the oldest is the first to go. */
  readonly #entries = new Map<string, Entry<T>>();

  /** What is known and younger than some time, else what `read` finds, asked once and not by all. */
  async lookUp(
    key: string,
    milliseconds: number,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const entry = this.#entries.get(key);
    if (!entry) return read();
    const now = Date.now();
    const age = now - entry.askedAt;
    const fresh = age < (entry.malformed ? LOOK_AGAIN_MS : milliseconds);
    // One asks, and not everybody who comes meanwhile; but nobody makes do for long.
    const othersAsk =
      now < entry.askingUntil && age < milliseconds + LOOK_AGAIN_MS;
    if (fresh || othersAsk) return valueOf(entry);
    entry.askingUntil = now + LOOK_AGAIN_MS;
    try {
      return await read();
    } finally {
      entry.askingUntil = 0;
    }
  }

  /** Takes in what KV showed, unless something newer is known; returns what is to be believed. */
  takeIn(key: string, reading: DatedReading<T>): Reading<T> {
    const entry = this.#entries.get(key);
    // An own write may have come in while KV was asked, or KV may not show it yet.
    const own = this.ownNewerThan(key, reading);
    if (own) return own;
    if (entry && reading.askedAt < entry.askedAt) return entry;
    return this.#keep(key, { ...reading, ownUntil: 0, askingUntil: 0 });
  }

  /** Takes in what this isolate has written itself. */
  takeInOwn(key: string, value: T, revision: number): void {
    const now = Date.now();
    const ownUntil = now + KV_LAG_MS;
    this.#keep(key, {
      value,
      revision,
      askedAt: now,
      ownUntil,
      askingUntil: 0,
    });
  }

  /**
   * What this isolate has written so lately that KV does not show it yet. Of records that were put
   * there by hand, without a revision, only the isolate's minute holds against them.
   */
  ownNewerThan(
    key: string,
    reading: Reading<T> & { revision: number },
  ): Reading<T> | undefined {
    const entry = this.#entries.get(key);
    if (
      !entry ||
      Date.now() >= entry.ownUntil ||
      reading.revision >= entry.revision
    )
      return undefined;
    const byHand =
      reading.revision === 0 &&
      (reading.value !== undefined || reading.malformed);
    return byHand && Date.now() - entry.askedAt >= KEEP_MS ? undefined : entry;
  }

  #keep(key: string, entry: Entry<T>): Entry<T> {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > MAX_ENTRIES) this.#forgetOne(entry.askedAt);
    return entry;
  }

  /** The oldest, but rather not one that KV may not show yet. */
  #forgetOne(now: number): void {
    let oldest: string | undefined;
    for (const [key, { ownUntil }] of this.#entries) {
      oldest ??= key;
      if (ownUntil > now) continue;
      this.#entries.delete(key);
      return;
    }
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
