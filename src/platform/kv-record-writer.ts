import { DurableObject } from "cloudflare:workers";

/**
 * For how long whoever has written a record knows better than KV what it is: KV promises to show a
 * write everywhere after a minute, and may then serve its cache for another half.
 */
export const KV_LAG_MS = 120_000;

const RECENT = "recent";

interface Recent {
  text: string;
  revision: number;
  /** What stood before the first of the recent writes: what KV may still show. */
  before: string | null;
}

/** A record as it stands: its text, or null where there is none. */
export interface CurrentRecord {
  text: string | null;
}

export type WriteResult =
  | { outcome: "written"; revision: number }
  /** Somebody else has written in between; this is what stands now. */
  | ({ outcome: "conflict" } & CurrentRecord)
  | { outcome: "unavailable"; error: string };

/**
 * The one writer of one record in KV, named by its key.
 *
 * KV knows no transactions, and what it shows may be a minute old: two admin calls at once could undo
 * each other, and a deletion or an ended secret must not be undone. So whoever changes a record says
 * what they have read, and the change is made only if that still stands. Refreshes never come here.
 *
 * It keeps the record's text only for as long as KV may lag behind, and then nothing.
 */
export class KvRecordWriter extends DurableObject<Env> {
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * The record as it stands. Readers wait for nobody, or one look at KV after another would be all that
   * the logins of every back end get through: who decides by what it read, and writes, is told when
   * somebody was faster.
   */
  read(
    key: string,
  ): Promise<CurrentRecord | { outcome: "unavailable"; error: string }> {
    return orUnavailable(async () => ({ text: await this.#current(key) }));
  }

  /**
   * Writes the record if it still is what the caller has read.
   *
   * @param expirationTtl seconds, at least 60; left out: it stays
   */
  write(
    key: string,
    expected: string | null,
    text: string,
    expirationTtl?: number,
  ): Promise<WriteResult> {
    return this.#inTurn(async () => {
      const current = await this.#current(key);
      const recent = this.#recent();
      // The same write again, because its answer was lost on the way: it is done, or KV has it and
      // this object died before it could note so.
      if (recent && current === text && current !== expected) {
        return { outcome: "written", revision: recent.revision };
      }
      if (current !== expected && current !== text) {
        return { outcome: "conflict", text: current };
      }
      // A number that grows, also where the clock of this place does not.
      const revision = Math.max(Date.now(), (recent?.revision ?? 0) + 1);
      const ttl = expirationTtl === undefined ? {} : { expirationTtl };
      await this.env.KV.put(key, text, { metadata: { revision }, ...ttl });
      const before = recent ? recent.before : current;
      this.ctx.storage.kv.put<Recent>(RECENT, { text, revision, before });
      await this.ctx.storage.setAlarm(Date.now() + KV_LAG_MS);
      return { outcome: "written", revision };
    });
  }

  /** KV has caught up. */
  override alarm(): Promise<void> {
    return this.ctx.storage.deleteAll();
  }

  /** What was written last: by this object, or since then by hand, which leaves no revision. */
  async #current(key: string): Promise<string | null> {
    const { value, metadata } = await this.env.KV.getWithMetadata<{
      revision?: number;
    }>(key);
    const recent = this.#recent();
    if (!recent) return value;
    const byHand = metadata?.revision === undefined && value !== recent.before;
    return byHand ? value : recent.text;
  }

  #recent(): Recent | undefined {
    return this.ctx.storage.kv.get<Recent>(RECENT);
  }

  /** One after another: waiting for KV would let the next write in between. */
  #inTurn<T>(
    work: () => Promise<T>,
  ): Promise<T | { outcome: "unavailable"; error: string }> {
    const result = this.#queue.then(() => orUnavailable(work));
    this.#queue = result;
    return result;
  }
}

/** Faults come back as results, because exceptions do not survive RPC well. */
async function orUnavailable<T>(
  work: () => Promise<T>,
): Promise<T | { outcome: "unavailable"; error: string }> {
  try {
    return await work();
  } catch (error) {
    return { outcome: "unavailable", error: String(error) };
  }
}
