import { fieldError, OAuthError } from "../oauth/errors.ts";
import type { Parsed } from "../oauth/schema.ts";
import {
  CACHED_MAX_AGE_MS,
  FRESH_MAX_AGE_MS,
  IsolateCache,
  type ReadResult,
  valueOrThrow,
} from "./isolate-cache.ts";
import { withRetry, callObject, unavailable } from "./retry.ts";
import type { KvRecordWriter } from "./kv-record-writer.ts";

/** KV's own cache at a location, in seconds: the shortest that KV allows. */
const KV_CACHE_TTL = 30;
/** The most keys that KV reads in one operation. */
const MAX_KEYS_PER_READ = 100;
/**
 * The most tries of one change. Of many changes of a record at the same time one succeeds, and the others try
 * again.
 */
const MAX_TRIES = 50;

/** The metadata that `KvRecordWriter` stores beside a record. */
interface KvMetadata {
  revision?: number;
}

/** A record as KV shows it. */
interface Found {
  value: string | null;
  metadata: KvMetadata | null;
}

const none: Found = { value: null, metadata: null };

/** Several records as one operation of KV shows them. */
export interface ManyRead {
  found: ReadonlyMap<string, Found>;
  /** In milliseconds since 1970. */
  readStartedAt: number;
}

/** Reads several records with one operation of KV, as `KvRecords.read` does one. */
export async function readMany(
  kv: KVNamespace,
  keys: string[],
): Promise<ManyRead> {
  const readStartedAt = Date.now();
  const found = await withRetry(() =>
    kv.getWithMetadata<KvMetadata>(keys, { cacheTtl: KV_CACHE_TTL }),
  );
  return { found, readStartedAt };
}

/** A record as a change leaves it. */
export interface Change<T> {
  record: T;
  /** In seconds, at least 60. KV deletes the record after that time. Left out: it stays. */
  expirationTtl?: number;
}

/**
 * JSON records of one kind in KV. Each is checked against its schema when it is read. This isolate caches
 * what it read, for at most a minute, also that there is no record.
 *
 * Every method throws OAuthError `storage_unavailable` when KV does not answer. A method that returns one
 * record throws `record_malformed`, with the key, when the record does not fit the schema.
 */
export class KvRecords<T> {
  readonly #kv: KVNamespace;
  readonly #writers: DurableObjectNamespace<KvRecordWriter>;
  readonly #parseRecord: (key: string, record: unknown) => Parsed<T>;
  readonly #cache = new IsolateCache<T>();

  /** @param parseRecord parses the record of a key by its schema */
  constructor(
    kv: KVNamespace,
    writers: DurableObjectNamespace<KvRecordWriter>,
    parseRecord: (key: string, record: unknown) => Parsed<T>,
  ) {
    this.#kv = kv;
    this.#writers = writers;
    this.#parseRecord = parseRecord;
  }

  /**
   * Finds a record. This isolate's own copy is good while it is younger than a minute.
   *
   * @param read left out: reads this record alone
   */
  find(key: string, read = () => this.read(key)): Promise<T | undefined> {
    return this.#cache.lookUp(key, CACHED_MAX_AGE_MS, read);
  }

  /** Finds a record, as `find` does. This isolate's own copy is good while it is younger than a second. */
  findFresh(key: string, read = () => this.read(key)): Promise<T | undefined> {
    return this.#cache.lookUp(key, FRESH_MAX_AGE_MS, read);
  }

  /** Returns this isolate's own copy of a record, however old it is. Reads nothing. */
  peek(key: string): T | undefined {
    return this.#cache.peek(key);
  }

  /** Reads a record from KV, whose cache at this location may be half a minute old. */
  async read(key: string): Promise<T | undefined> {
    const readStartedAt = Date.now();
    const found = await withRetry(() =>
      this.#kv.getWithMetadata<KvMetadata>(key, {
        cacheTtl: KV_CACHE_TTL,
      }),
    );
    return valueOrThrow(this.#keep(key, found, readStartedAt));
  }

  /** Keeps what a read of several records showed of this one. Returns the newest that is known. */
  keep(key: string, { found, readStartedAt }: ManyRead): ReadResult<T> {
    return this.#keep(key, found.get(key) ?? none, readStartedAt);
  }

  #keep(key: string, { value: text, metadata }: Found, readStartedAt: number) {
    const revision = metadata?.revision ?? 0;
    const read = { ...this.#tryParse(key, text), revision, readStartedAt };
    return this.#cache.storeRead(key, read);
  }

  /** Reads a record as its writer knows it, past every cache: for a caller that decides by it. */
  async readCurrent(key: string): Promise<T | undefined> {
    return valueOrThrow(this.#tryParse(key, await this.#currentText(key)));
  }

  /**
   * Changes a record in one atomic step, also while others change it. This isolate sees the new record at
   * once, other locations within two minutes.
   *
   * @param change makes the new record from the current one. It is called again when another change came
   *   first. `current` throws `record_malformed`
   */
  async update(
    key: string,
    change: (current: () => T | undefined) => Change<T>,
  ): Promise<T> {
    let text = await this.#currentText(key);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const expected = text;
      const { record, expirationTtl } = change(() =>
        valueOrThrow(this.#tryParse(key, expected)),
      );
      const next = JSON.stringify(record);
      const result = await this.#writer(
        key,
        async (writer) =>
          await writer.write(key, expected, next, expirationTtl),
      );
      if (result.outcome === "unavailable")
        throw unavailable(new Error(result.error));
      if (result.outcome === "written") {
        this.#cache.storeOwnWrite(key, record, result.revision);
        return record;
      }
      text = result.text;
    }
    throw unavailable(new Error(`${MAX_TRIES} other changes came first`));
  }

  /** Reads several records. Malformed ones are left out and given to `onMalformed`. */
  async readAll(
    keys: string[],
    onMalformed: (error: OAuthError) => void,
  ): Promise<T[]> {
    const records: T[] = [];
    for (let start = 0; start < keys.length; start += MAX_KEYS_PER_READ) {
      const batch = keys.slice(start, start + MAX_KEYS_PER_READ);
      const { found } = await readMany(this.#kv, batch);
      for (const [key, { value: text, metadata }] of found) {
        const read = {
          ...this.#tryParse(key, text),
          revision: metadata?.revision ?? 0,
        };
        const { value, malformed } =
          this.#cache.newerOwnWrite(key, read) ?? read;
        if (malformed) onMalformed(malformed);
        else if (value !== undefined) records.push(value);
      }
    }
    return records;
  }

  /**
   * Lists the keys with a prefix, a page at a time. A page without a `cursor` is the last.
   *
   * @throws OAuthError `admin_body_invalid` for a cursor that KV does not accept
   */
  async keys(prefix: string, limit: number, cursor?: string) {
    const page = await withRetry(() =>
      this.#kv
        .list({ prefix, limit, cursor: cursor ?? null })
        .catch(undefinedIfBadRequest),
    );
    if (!page)
      throw fieldError("cursor", "must be the cursor of the page before");
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
    const { data, issues } = this.#parseRecord(key, parseJson(key, text));
    if (!issues) return data;
    const [issue] = issues;
    throw malformed(
      key,
      `${issue?.path.join(".") || "the record"}: ${issue?.message}`,
    );
  }

  #tryParse(key: string, text: string | null): ReadResult<T> {
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
    // The parser's own message quotes the text, which may hold the hash of a secret.
    throw malformed(key, "is not JSON");
  }
}

function malformed(key: string, problem: string): OAuthError {
  return new OAuthError("record_malformed", {
    problems: [{ name: key, problem }],
  });
}

/** KV answers 400 to a cursor that is not its own, and tells its status only in the text of the error. */
function undefinedIfBadRequest(error: unknown): undefined {
  if (error instanceof Error && /\bfailed: 400\b/.test(error.message))
    return undefined;
  throw error;
}
