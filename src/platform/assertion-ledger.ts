import { DurableObject } from "cloudflare:workers";
import { CLOCK_SKEW_SECONDS } from "../oauth/duration.ts";

/** The shortest time between two deletions of ids, in milliseconds. */
const SWEEP_INTERVAL_MS = 60_000;

/** A row of the table `used`: the id of an assertion that was used. */
interface Row extends Record<string, SqlStorageValue> {
  /** The request that has used it. */
  attempt: string;
}

/**
 * Keeps the ids of the assertions that a client has used, until they expire by every clock. Its name is made of the
 * client and of a part of the id (`used-assertions.ts`), so that a busy client has several objects. When the last id has
 * expired, it deletes everything.
 */
export class AssertionLedger extends DurableObject<Env> {
  /**
   * Uses an id up. It may be repeated with the same attempt.
   *
   * @param expiresAt in seconds since 1970: from then on the assertion is not accepted
   */
  async take(
    id: string,
    attempt: string,
    expiresAt: number,
  ): Promise<{ outcome: "taken" | "used" }> {
    const known = this.#row(id);
    if (known) return { outcome: known.attempt === attempt ? "taken" : "used" };
    const keptUntil = (expiresAt + CLOCK_SKEW_SECONDS) * 1000;
    const { sql } = this.ctx.storage;
    // The table is not made in the constructor, so that an object that is only asked stores nothing.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS used (id TEXT PRIMARY KEY, attempt TEXT NOT NULL, kept_until INTEGER NOT NULL) WITHOUT ROWID",
    );
    sql.exec("INSERT INTO used VALUES (?, ?, ?)", id, attempt, keptUntil);
    if ((await this.ctx.storage.getAlarm()) === null)
      await this.ctx.storage.setAlarm(keptUntil);
    return { outcome: "taken" };
  }

  /** Returns the number of ids. It writes nothing. */
  async count(): Promise<number> {
    if (!this.#hasTable()) return 0;
    const { count } = this.ctx.storage.sql
      .exec<{ count: number }>("SELECT COUNT(*) AS count FROM used")
      .one();
    return count;
  }

  /** Deletes the ids that have expired, and everything after the last one. */
  override async alarm(): Promise<void> {
    if (!this.#hasTable()) return;
    const { sql } = this.ctx.storage;
    sql.exec("DELETE FROM used WHERE kept_until <= ?", Date.now());
    const { next } = sql
      .exec<{ next: number | null }>("SELECT MIN(kept_until) AS next FROM used")
      .one();
    if (next === null) await this.ctx.storage.deleteAll();
    else
      await this.ctx.storage.setAlarm(
        Math.max(next, Date.now() + SWEEP_INTERVAL_MS),
      );
  }

  #row(id: string): Row | undefined {
    if (!this.#hasTable()) return undefined;
    const [row] = this.ctx.storage.sql.exec<Row>(
      "SELECT attempt FROM used WHERE id = ?",
      id,
    );
    return row;
  }

  #hasTable(): boolean {
    const [table] = this.ctx.storage.sql.exec(
      "SELECT 1 FROM sqlite_master WHERE name = 'used'",
    );
    return table !== undefined;
  }
}
