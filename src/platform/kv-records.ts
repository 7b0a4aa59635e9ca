import type { z } from "zod";
import { OAuthError } from "../oauth/errors.ts";
import { reach } from "./reach.ts";

/** How long an isolate trusts what it read. */
const KEEP_MS = 60_000;
/** How soon an isolate looks past its own copy of a key again. */
const LOOK_AGAIN_MS = 1_000;
/** How many records an isolate keeps: bounded, because whoever sends client ids fills it. */
const MOST_ENTRIES = 1_000;
/** KV's own cache at a location, in seconds: the shortest that it allows. */
const KV_CACHE_TTL = 30;
/** How many keys KV reads in one operation. */
export const MOST_KEYS_AT_ONCE = 100;

interface Entry<T> {
  value: T | undefined;
  readAt: number;
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
  readonly #schemaOf: (key: string, record: unknown) => z.ZodType<T>;
  /** In the order of reading, so that the oldest is the first to go. */
  readonly #entries = new Map<string, Entry<T>>();

  /** @param schemaOf what the record at a key has to look like */
  constructor(
    kv: KVNamespace,
    schemaOf: (key: string, record: unknown) => z.ZodType<T>,
  ) {
    this.#kv = kv;
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
    const text = await reach(() =>
      this.#kv.get(key, { cacheTtl: KV_CACHE_TTL }),
    );
    return this.#keep(key, text === null ? undefined : this.#parse(key, text));
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
        if (text === null) continue;
        try {
          records.push(this.#parse(key, text));
        } catch (error) {
          if (!(error instanceof OAuthError)) throw error;
          onMalformed(error);
        }
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

  /** Writes a record; this isolate sees it at once, other locations within a minute or so. */
  async write(
    key: string,
    record: T,
    options: KVNamespacePutOptions = {},
  ): Promise<void> {
    await reach(() => this.#kv.put(key, JSON.stringify(record), options));
    this.#keep(key, record);
  }

  async #findNewerThan(
    key: string,
    milliseconds: number,
  ): Promise<T | undefined> {
    const entry = this.#entries.get(key);
    const fresh =
      entry !== undefined && Date.now() - entry.readAt < milliseconds;
    return fresh ? entry.value : this.read(key);
  }

  #keep(key: string, value: T | undefined): T | undefined {
    this.#entries.delete(key);
    this.#entries.set(key, { value, readAt: Date.now() });
    if (this.#entries.size > MOST_ENTRIES) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    return value;
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
