import { DurableObject } from "cloudflare:workers";

/**
 * Workers KV for bare workerd, which has the binding but no store behind it. workerd turns the calls of the
 * binding's methods into HTTP requests to this Worker.
 *
 * It is better than Cloudflare's KV in several ways. It is one SQLite database on the local disk, so a write is
 * on the disk before it is acknowledged, and every later read sees it. In Cloudflare's KV, a read may be a
 * minute old, one key takes one write per second (429 beyond that), and both take longer. This Worker does not
 * enforce KV's other limits either. In one way it is worse: it runs in the server's process, so its work is
 * counted as the server's.
 */

const METADATA = "CF-KV-Metadata";
/** The limit of a list without one, as in KV's documentation of `list()`. */
const DEFAULT_KEY_LIMIT = 1000;
/** Ends the range of all keys with one prefix, because it is the last code point. */
const LAST_CODE_POINT = "\u{10FFFF}";

interface BulkGet {
  keys: string[];
  type?: "text" | "json";
  withMetadata?: boolean;
}

// Types, not interfaces, because `exec` wants rows that are records with any names.
type Entry = { value: ArrayBuffer; metadata: string | null };
type Listed = {
  name: string;
  metadata: string | null;
  expiration: number | null;
};

/** All keys of one namespace. Expired keys are not removed, because a benchmark ends before that matters. */
export class Store extends DurableObject {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS entries
         (key TEXT PRIMARY KEY, value BLOB NOT NULL, metadata TEXT, expiration INTEGER)`,
    );
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const key = decodeURIComponent(pathname.slice(1));
    switch (request.method) {
      case "PUT":
        return this.#put(
          key,
          await request.arrayBuffer(),
          request.headers.get(METADATA),
          expirationIn(searchParams),
        );
      case "DELETE":
        this.#sql.exec("DELETE FROM entries WHERE key = ?", key);
        return new Response();
      case "POST":
        return this.#getMany(await request.json());
      default:
        return key === "" ? this.#list(searchParams) : this.#get(key);
    }
  }

  #put(
    key: string,
    value: ArrayBuffer,
    metadata: string | null,
    expiration: number | null,
  ): Response {
    this.#sql.exec(
      "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
      key,
      value,
      metadata,
      expiration,
    );
    return new Response();
  }

  #get(key: string): Response {
    const entry = this.#read(key);
    if (entry === undefined) return new Response(null, { status: 404 });
    const headers = new Headers();
    if (entry.metadata !== null) headers.set(METADATA, entry.metadata);
    return new Response(entry.value, { headers });
  }

  #getMany({ keys, type, withMetadata }: BulkGet): Response {
    const found = keys.map((key) => {
      const entry = this.#read(key);
      if (entry === undefined) return [key, null];
      const text = new TextDecoder().decode(entry.value);
      const value: unknown = type === "json" ? JSON.parse(text) : text;
      const metadata: unknown = JSON.parse(entry.metadata ?? "null");
      return [key, withMetadata ? { value, metadata } : value];
    });
    return Response.json(Object.fromEntries(found));
  }

  #list(parameters: URLSearchParams): Response {
    const limit = Number(
      parameters.get("key_count_limit") ?? DEFAULT_KEY_LIMIT,
    );
    const prefix = parameters.get("prefix") ?? "";
    const after = decodeURIComponent(parameters.get("cursor") ?? "");
    const found = this.#sql
      .exec<Listed>(
        `SELECT key AS name, metadata, expiration FROM entries
          WHERE key BETWEEN ? AND ? AND key > ? AND (expiration IS NULL OR expiration > ?)
          ORDER BY key LIMIT ?`,
        prefix,
        prefix + LAST_CODE_POINT,
        after,
        seconds(),
        limit + 1,
      )
      .toArray();
    const keys = found.slice(0, limit);
    const last = keys.at(-1);
    const complete = found.length === keys.length || last === undefined;
    return Response.json({
      keys: keys.map(shown),
      list_complete: complete,
      ...(!complete && { cursor: encodeURIComponent(last.name) }),
    });
  }

  #read(key: string): Entry | undefined {
    const [entry] = this.#sql.exec<Entry>(
      "SELECT value, metadata FROM entries WHERE key = ? AND (expiration IS NULL OR expiration > ?)",
      key,
      seconds(),
    );
    return entry;
  }
}

/** A key as the real KV lists it: without metadata or expiration where there is none, and not with null. */
function shown({ name, metadata, expiration }: Listed): object {
  return {
    name,
    ...(metadata !== null && { metadata }),
    ...(expiration !== null && { expiration }),
  };
}

/** @returns seconds since 1970, as KV counts time */
function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

function expirationIn(parameters: URLSearchParams): number | null {
  const ttl = parameters.get("expiration_ttl");
  if (ttl !== null) return seconds() + Number(ttl);
  const expiration = parameters.get("expiration");
  return expiration === null ? null : Number(expiration);
}

export default {
  fetch(request, env) {
    return env.STORE.getByName("entries").fetch(request);
  },
} satisfies ExportedHandler<{ STORE: DurableObjectNamespace<Store> }>;
