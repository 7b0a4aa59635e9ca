import { DurableObject } from "cloudflare:workers";

/**
 * The time for which KV may show an older record after a write, in milliseconds. KV shows a write everywhere
 * within 60 s, and a location may then serve its own cache for another 30 s (`KV_CACHE_TTL` in
 * `kv-records.ts`).
 */
export const KV_LAG_MS = 120_000;

const RECENT = "recent";

interface RecentWrite {
  text: string;
  revision: number;
  /** The record before the first of the recent writes: KV may still show it. */
  before: string | null;
}

/** The current text of a record; null if there is no record. */
interface CurrentRecord {
  text: string | null;
}

type WriteResult =
  | { outcome: "written"; revision: number }
  /** Another write came first; `text` is the current record. */
  | ({ outcome: "conflict" } & CurrentRecord)
  | { outcome: "unavailable"; error: string };

/**
 * Serialises the writes of one KV record. The object's name is the record's key.
 *
 * KV has no transactions, and what it shows may be a minute old. Without this object two admin calls at the
 * same time could undo each other, and a deleted client or an ended secret could come back. So a caller sends
 * the text that it has read, and the object writes only if that is still the current text. Refreshes never
 * call it.
 *
 * The object keeps the record's text only while KV may lag behind. Then it deletes everything.
 */
export class KvRecordWriter extends DurableObject<Env> {
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * Reads the current record. Reads are not queued, because a queue would serialise all back-end logins on
   * one KV read. A caller that writes by what it has read gets `conflict` if the record has changed.
   */
  read(
    key: string,
  ): Promise<CurrentRecord | { outcome: "unavailable"; error: string }> {
    return orUnavailable(async () => ({ text: await this.#current(key) }));
  }

  /**
   * Writes the record if `expected` is its current text. It may be repeated when its answer was lost.
   *
   * @param expirationTtl in seconds, at least 60; left out: the record stays
   */
  write(
    key: string,
    expected: string | null,
    text: string,
    expirationTtl?: number,
  ): Promise<WriteResult> {
    return this.#enqueue(async () => {
      const current = await this.#current(key);
      const recent = this.#recent();
      // A repeated write, whose first answer was lost, is done already. Where KV has the text and this object
      // does not, because it died in between, the text is written again below.
      if (recent && current === text && current !== expected) {
        return { outcome: "written", revision: recent.revision };
      }
      if (current !== expected && current !== text) {
        return { outcome: "conflict", text: current };
      }
      // The revision must grow, also when the clock does not.
      const revision = Math.max(Date.now(), (recent?.revision ?? 0) + 1);
      const ttl = expirationTtl === undefined ? {} : { expirationTtl };
      await this.env.KV.put(key, text, { metadata: { revision }, ...ttl });
      const before = recent ? recent.before : current;
      this.ctx.storage.kv.put<RecentWrite>(RECENT, { text, revision, before });
      await this.ctx.storage.setAlarm(Date.now() + KV_LAG_MS);
      return { outcome: "written", revision };
    });
  }

  /** Deletes everything, because by now KV shows the last write everywhere. */
  override alarm(): Promise<void> {
    return this.ctx.storage.deleteAll();
  }

  /**
   * Finds the newest text: KV's, or that of a recent write which KV does not show yet. A record that KV shows
   * without a revision was written by hand (`wrangler kv key put`); it is newer, unless it was there before.
   */
  async #current(key: string): Promise<string | null> {
    const { value, metadata } = await this.env.KV.getWithMetadata<{
      revision?: number;
    }>(key);
    const recent = this.#recent();
    if (!recent) return value;
    const writtenByHand =
      metadata?.revision === undefined && value !== recent.before;
    return writtenByHand ? value : recent.text;
  }

  #recent(): RecentWrite | undefined {
    return this.ctx.storage.kv.get<RecentWrite>(RECENT);
  }

  /** Runs one piece of work after another, because the next write could start while one waits for KV. */
  #enqueue<T>(
    work: () => Promise<T>,
  ): Promise<T | { outcome: "unavailable"; error: string }> {
    const result = this.#queue.then(() => orUnavailable(work));
    this.#queue = result;
    return result;
  }
}

/** Turns a fault into a result, because exceptions do not survive RPC well. */
async function orUnavailable<T>(
  work: () => Promise<T>,
): Promise<T | { outcome: "unavailable"; error: string }> {
  try {
    return await work();
  } catch (error) {
    return { outcome: "unavailable", error: String(error) };
  }
}
