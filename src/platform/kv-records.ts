import type { z } from "zod";
import { OAuthError } from "../oauth/errors.ts";
import { reach, unavailable } from "./reach.ts";
import { KV_LAG_MS, type RecordKeeper } from "./record-keeper.ts";

/** How long an isolate trusts what it read. */
const KEEP_MS = 60_000;
/** How soon an isolate looks past its own copy of a key again. */
const LOOK_AGAIN_MS = 1_000;
/** How many records an isolate keeps: bounded, because whoever sends client ids fills it. */
const MOST_ENTRIES = 1_000;
/** KV's own cache at a location, in seconds: the shortest that it allows. */
const KV_CACHE_TTL = 30;
/** How many keys KV reads in one operation. */
const MOST_KEYS_AT_ONCE = 100;
/** How often a change is made anew because somebody else was faster: of many at once, one wins a round. */
const MOST_TRIES = 50;

interface Entry<T> {
  value: T | undefined;
  /** In place of a value: the record can't be read. */
  malformed?: OAuthError;
  /** Of what KV showed: it grows with each write; 0 for records that were put there by hand. */
  revision: number;
  /** When KV was asked for it. */
  askedAt: number;
  /** Until then somebody is asking again: others make do with what there is. */
  askingUntil: number;
  /** Until then this isolate's own write is newer than what KV may show. */
  ownUntil: number;
}

/** A record as a change leaves it. */
export interface Change<T> {
  record: T;
  /** Seconds, at least 60, after which it is gone. */
  expirationTtl?: number;
}

/**
 * JSON records of one kind in KV: each is checked against its schema as it is read, and what was
 * read, also that there is nothing, is kept in this isolate for a minute.
 *
 * Throws OAuthError `storage_unavailable` when KV does not answer, and `record_malformed`, naming
 * the key, when a record is not what the schema says.
 */
export class KvRecords<T> {
  readonly #kv: KVNamespace;
  readonly #keepers: DurableObjectNamespace<RecordKeeper>;
  readonly #schemaOf: (key: string, record: unknown) => z.ZodType<T>;
  /** In the order of reading, so that the oldest is the first to go. */
  readonly #entries = new Map<string, Entry<T>>();

  /** @param schemaOf what the record at a key has to look like */
  constructor(
    kv: KVNamespace,
    keepers: DurableObjectNamespace<RecordKeeper>,
    schemaOf: (key: string, record: unknown) => z.ZodType<T>,
  ) {
    this.#kv = kv;
    this.#keepers = keepers;
    this.#schemaOf = schemaOf;
  }

  /** The record as this isolate knows it, at most a minute old. */
  find(key: string): Promise<T | undefined> {
    return this.#findNewerThan(key, KEEP_MS);
  }

  /** The record past the isolate's own copy, but at most once a second. */
  findAgain(key: string): Promise<T | undefined> {
    return this.#findNewerThan(key, LOOK_AGAIN_MS);
  }

  /** What KV holds now, as far as this location can know. */
  async read(key: string): Promise<T | undefined> {
    const askedAt = Date.now();
    const { value: text, metadata } = await reach(() =>
      this.#kv.getWithMetadata<{ revision?: number }>(key, {
        cacheTtl: KV_CACHE_TTL,
      }),
    );
    const revision = metadata?.revision ?? 0;
    const entry = this.#entries.get(key);
    if (entry) {
      // An own write may have come in while KV was asked, or KV may not show it yet.
      const ownIsNewer =
        Date.now() < entry.ownUntil && revision < entry.revision;
      if (ownIsNewer || askedAt < entry.askedAt) return valueOf(entry);
    }
    const read = { ...this.#tryParse(key, text), revision, askedAt };
    return valueOf(this.#keep(key, { ...read, ownUntil: 0 }));
  }

  /**
   * Changes a record in one atomic step, whoever else changes it at the same time; this isolate sees
   * it at once, other locations within two minutes or so.
   *
   * @param change makes the new record of what stands (`current` throws if that can't be read); may
   *   be called again when somebody else was faster
   */
  async update(
    key: string,
    change: (current: () => T | undefined) => Change<T>,
  ): Promise<T> {
    const ask = <R>(
      call: (keeper: DurableObjectStub<RecordKeeper>) => Promise<R>,
    ) => reach(() => call(this.#keepers.get(this.#keepers.idFromName(key))));
    const standing = await ask(async (keeper) => await keeper.read(key));
    if ("outcome" in standing) throw unavailable(standing.error);
    let { text } = standing;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const stood = text;
      const { record, expirationTtl } = change(() =>
        valueOf(this.#tryParse(key, stood)),
      );
      const next = JSON.stringify(record);
      const result = await ask(
        async (keeper) => await keeper.write(key, stood, next, expirationTtl),
      );
      if (result.outcome === "unavailable") throw unavailable(result.error);
      if (result.outcome === "written") {
        const { revision } = result;
        this.#keep(key, {
          value: record,
          revision,
          askedAt: Date.now(),
          ownUntil: Date.now() + KV_LAG_MS,
        });
        return record;
      }
      text = result.text;
    }
    throw unavailable(`${MOST_TRIES} others were faster`);
  }

  /** Several records; malformed ones are passed over and told to `onMalformed`. */
  async readAll(
    keys: string[],
    onMalformed: (error: OAuthError) => void,
  ): Promise<T[]> {
    const records: T[] = [];
    for (let start = 0; start < keys.length; start += MOST_KEYS_AT_ONCE) {
      const some = keys.slice(start, start + MOST_KEYS_AT_ONCE);
      const texts = await reach(() =>
        this.#kv.get(some, { cacheTtl: KV_CACHE_TTL }),
      );
      for (const [key, text] of texts) {
        const entry = this.#entries.get(key);
        const own = entry && Date.now() < entry.ownUntil;
        const { value, malformed } = own ? entry : this.#tryParse(key, text);
        if (malformed) onMalformed(malformed);
        else if (value !== undefined) records.push(value);
      }
    }
    return records;
  }

  /** The keys with a prefix, some at a time. */
  async keys(prefix: string, limit: number, cursor?: string) {
    const page = await reach(() =>
      this.#kv.list({ prefix, limit, cursor: cursor ?? null }),
    );
    return {
      keys: page.keys.map(({ name }) => name),
      ...(!page.list_complete && { cursor: page.cursor }),
    };
  }

  async #findNewerThan(
    key: string,
    milliseconds: number,
  ): Promise<T | undefined> {
    const entry = this.#entries.get(key);
    if (!entry) return this.read(key);
    const now = Date.now();
    const age = now - entry.askedAt;
    const fresh = age < (entry.malformed ? LOOK_AGAIN_MS : milliseconds);
    // One asks, and not everybody who comes meanwhile; but nobody makes do for long.
    const othersAsk =
      now < entry.askingUntil && age < milliseconds + LOOK_AGAIN_MS;
    if (fresh || othersAsk) return valueOf(entry);
    entry.askingUntil = now + LOOK_AGAIN_MS;
    try {
      return await this.read(key);
    } finally {
      entry.askingUntil = 0;
    }
  }

  #keep(key: string, read: Omit<Entry<T>, "askingUntil">): Entry<T> {
    const entry = { ...read, askingUntil: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > MOST_ENTRIES) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest!);
    }
    return entry;
  }

  #parse(key: string, text: string): T {
    const record = parseJson(key, text);
    const result = this.#schemaOf(key, record).safeParse(record);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw malformed(
      key,
      `${issue?.path.join(".") || "the record"}: ${issue?.message}`,
    );
  }

  #tryParse(
    key: string,
    text: string | null,
  ): Pick<Entry<T>, "value" | "malformed"> {
    if (text === null) return { value: undefined };
    try {
      return { value: this.#parse(key, text) };
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      return { value: undefined, malformed: error };
    }
  }
}

function valueOf<T>({
  value,
  malformed,
}: Pick<Entry<T>, "value" | "malformed">): T | undefined {
  if (malformed) throw malformed;
  return value;
}

function parseJson(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, and the text may hold a secret.
    throw malformed(key, "is not JSON");
  }
}

function malformed(key: string, problem: string): OAuthError {
  return new OAuthError("record_malformed", {
    problems: [{ name: key, problem }],
  });
}
