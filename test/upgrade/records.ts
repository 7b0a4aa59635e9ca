/** The form of records.json. */

/** A text in pieces of 64 characters, so that lines stay short and no scanner takes a test token for a secret. */
export type Pieces = string[];

export interface StoredObject {
  /** The keys of the object's storage. Bytes are `{"$bytes": hexadecimal}`. */
  kv: Record<string, unknown>;
  /** The statements that made its tables, and the rows. */
  tables: { sql: string; name: string; rows: Record<string, unknown>[] }[];
  /** In milliseconds since 1970. */
  alarm: number | null;
}

export interface KvEntry {
  value: unknown;
  metadata: unknown;
  /** In seconds since 1970. */
  expiration?: number;
}

export interface Records {
  comment: string;
  version: string;
  /** In milliseconds since 1970. The tests that read the records set their clock by it. */
  made_at: number;
  kv: Record<string, KvEntry>;
  /** By class and by the object's id. */
  objects: Record<string, Record<string, StoredObject>>;
  /** Tokens, codes and requests that clients and browsers had at that moment. */
  in_flight: Record<string, Pieces>;
}

export function piecesOf(text: string): Pieces {
  return text.match(/.{1,64}/gs) ?? [];
}
