import type { z } from "zod";
import { OAuthError } from "../oauth/errors.ts";
import {
  IsolateCache,
  KEEP_MS,
  LOOK_AGAIN_MS,
  type Reading,
  valueOf,
} from "./isolate-cache.ts";
import { withRetry, callObject, unavailable } from "./retry.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

/** KV's own cache at a location, in seconds: the shortest that it allows. */
const KV_CACHE_TTL = 30;
/** How many keys KV reads in one operation. */
const MAX_KEYS_AT_ONCE = 100;
/** How often a change is made anew because somebody else was faster: of many at once, one wins a round. */
const MAX_TRIES = 50;

/** What a record's writer notes beside it. */
interface KvMetadata {
  revision?: number;
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
  readonly #writers: DurableObjectNamespace<KvRecordWriter>;
  readonly #schemaOf: (key: string, record: unknown) => z.ZodType<T>;
  readonly #cache = new IsolateCache<T>();

  /** @param schemaOf what the record at a key has to look like */
  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
    schemaOf: (key: string, record: unknown) => z.ZodType<T>,
  ) {
    this.#kv = kv;
    this.#writers = writers;
    this.#schemaOf = schemaOf;
  }

  /** The record as this isolate knows it, at most a minute old. */
  find(key: string): Promise<T | undefined> {
    return this.#cache.lookUp(key, KEEP_MS, () => this.read(key));
  }

  /** The record past the isolate's own copy, but at most once a second. */
  findAgain(key: string): Promise<T | undefined> {
    return this.#cache.lookUp(key, LOOK_AGAIN_MS, () => this.read(key));
  }

  /** What KV holds now, as far as this location can know. */
  async read(key: string): Promise<T | undefined> {
    const askedAt = Date.now();
    const { value: text, metadata } = await withRetry(() =>
      this.#kv.getWithMetadata<KvMetadata>(key, {
        cacheTtl: KV_CACHE_TTL,
      }),
    );
    const revision = metadata?.revision ?? 0;
    const read = { ...this.#tryParse(key, text), revision, askedAt };
    return valueOf(this.#cache.takeIn(key, read));
  }

  /** The record as it stands, past every cache: for those who decide something by it. */
  async readCurrent(key: string): Promise<T | undefined> {
    return valueOf(this.#tryParse(key, await this.#currentText(key)));
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
    let text = await this.#currentText(key);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const stood = text;
      const { record, expirationTtl } = change(() =>
        valueOf(this.#tryParse(key, stood)),
      );
      const next = JSON.stringify(record);
      const result = await this.#writer(
        key,
        async (writer) => await writer.write(key, stood, next, expirationTtl),
      );
      if (result.outcome === "unavailable")
        throw unavailable(new Error(result.error));
      if (result.outcome === "written") {
        this.#cache.takeInOwn(key, record, result.revision);
        return record;
      }
      text = result.text;
    }
    throw unavailable(new Error(`${MAX_TRIES} others were faster`));
  }

  /** Several records; malformed ones are passed over and told to `onMalformed`. */
  async readAll(
    keys: string[],
    onMalformed: (error: OAuthError) => void,
  ): Promise<T[]> {
    const records: T[] = [];
    for (let start = 0; start < keys.length; start += MAX_KEYS_AT_ONCE) {
      const some = keys.slice(start, start + MAX_KEYS_AT_ONCE);
      const found = await withRetry(() =>
        this.#kv.getWithMetadata<KvMetadata>(some, { cacheTtl: KV_CACHE_TTL }),
      );
      for (const [key, { value: text, metadata }] of found) {
        const read = {
          ...this.#tryParse(key, text),
          revision: metadata?.revision ?? 0,
        };
        const { value, malformed } =
          this.#cache.ownNewerThan(key, read) ?? read;
        if (malformed) onMalformed(malformed);
        else if (value !== undefined) records.push(value);
      }
    }
    return records;
  }

  /** The keys with a prefix, some at a time. */
  async keys(prefix: string, limit: number, cursor?: string) {
    const page = await withRetry(() =>
      this.#kv.list({ prefix, limit, cursor: cursor ?? null }),
    );
    return {
      keys: page.keys.map(({ name }) => name),
      ...(!page.list_complete && { cursor: page.cursor }),
    };
  }

  async #currentText(key: string): Promise<string | null> {
    const current = await this.#writer(
      key,
      async (writer) => await writer.read(key),
    );
    if ("outcome" in current) throw unavailable(new Error(current.error));
    return current.text;
  }

  #writer<R>(
    key: string,
    call: (writer: DurableObjectStub<KvRecordWriter>) => Promise<R>,
  ): Promise<R> {
    return callObject(this.#writers, key, call);
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

  #tryParse(key: string, text: string | null): Reading<T> {
    if (text === null) return { value: undefined };
    try {
      return { value: this.#parse(key, text) };
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      return { value: undefined, malformed: error };
    }
  }
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
