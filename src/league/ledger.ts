import { DurableObject } from "cloudflare:workers";
import type { OldToken } from "../oauth/takeover.ts";
import { CLOCK_SKEW_SECONDS } from "../oauth/duration.ts";

/** The interval at which rows that are no longer needed are deleted, in milliseconds: a day. */
const SWEEP_INTERVAL_MS = 24 * 60 * 60 * 1000;

type State = "revoked" | "exchanged";

/** A row of the table `token`. Times in seconds since 1970. */
interface Row extends Record<string, SqlStorageValue> {
  state: State;
  /** The expiry of the token. */
  expires_at: number;
  /**
   * The row may be deleted from then on: when the token has expired and its family, if it has one, has ended.
   */
  kept_until: number;
}

/**
 * Records which league tokens are revoked, and which were exchanged and so have a family here. One row per
 * token, many tokens per object (`LeagueLedgers` spreads them), because there may be millions of revoked
 * tokens. A row stays until the token has expired and its family, if it has one, has ended.
 *
 * An exchange asks the ledger before it begins the family and notes itself afterwards. So if a token is
 * revoked at the same time, either the exchange or the revocation sees the other.
 */
export class LeagueLedger extends DurableObject<Env> {
  /** Returns the state of a token; undefined if the ledger does not have it. It writes nothing. */
  async stateOf(id: string): Promise<State | undefined> {
    return this.#row(id)?.state;
  }

  /** Returns the states of several tokens, in the same order. It writes nothing. */
  async statesOf(ids: string[]): Promise<(State | undefined)[]> {
    return ids.map((id) => this.#row(id)?.state);
  }

  /**
   * Notes that a token was exchanged. It may be repeated.
   *
   * @param familyEnds in seconds since 1970: the row stays until then, so that a later revocation finds the
   *   family
   * @returns `new` the first time, `known` afterwards, `revoked` if the token was revoked meanwhile
   */
  async noteExchange(
    { refresh_token_id: id, expires_at }: OldToken,
    familyEnds: number,
  ): Promise<"new" | "known" | "revoked"> {
    const row = this.#row(id);
    if (row?.state === "revoked") return "revoked";
    const until = Math.max(expires_at, familyEnds);
    // A fault may have taken back the family that was noted first; the family of the next attempt ends later.
    if (!row || row.kept_until < until - SWEEP_INTERVAL_MS / 1000)
      this.#write(id, "exchanged", expires_at, until);
    await this.#scheduleSweep();
    return row ? "known" : "new";
  }

  /**
   * Revokes tokens, except those that were exchanged: the caller must end their families first.
   *
   * @param endedFamilies true if the families of all these tokens have ended; then the exchanged ones are
   *   revoked too
   * @returns the ids of the exchanged tokens, which were not revoked
   */
  async revoke(entries: OldToken[], endedFamilies = false): Promise<string[]> {
    const exchanged: string[] = [];
    for (const { refresh_token_id: id, expires_at } of entries) {
      const row = this.#row(id);
      const until = Math.max(expires_at, row?.expires_at ?? 0);
      if (row?.state === "exchanged" && !endedFamilies) exchanged.push(id);
      // A token that has expired by every clock needs no row.
      else if (until > expiredByEveryClock())
        if (row?.state !== "revoked" || row.expires_at < until)
          this.#write(id, "revoked", until, until);
    }
    await this.#scheduleSweep();
    return exchanged;
  }

  /** Counts the tokens in each state that have not expired. It writes nothing. */
  async count(): Promise<Record<State, number>> {
    const counts = { exchanged: 0, revoked: 0 };
    if (!this.#hasTable()) return counts;
    const rows = this.ctx.storage.sql.exec<{ state: State; number: number }>(
      "SELECT state, COUNT(*) AS number FROM token WHERE expires_at > ? GROUP BY state",
      Date.now() / 1000,
    );
    for (const { state, number } of rows) counts[state] = number;
    return counts;
  }

  /** Deletes the rows that are no longer needed by any clock, and everything after the last row. */
  override async alarm(): Promise<void> {
    if (!this.#hasTable()) return;
    const { sql } = this.ctx.storage;
    sql.exec("DELETE FROM token WHERE kept_until <= ?", expiredByEveryClock());
    const [left] = sql.exec("SELECT 1 FROM token LIMIT 1");
    if (left) await this.ctx.storage.setAlarm(Date.now() + SWEEP_INTERVAL_MS);
    else await this.ctx.storage.deleteAll();
  }

  #row(id: string): Row | undefined {
    if (!this.#hasTable()) return undefined;
    const [row] = this.ctx.storage.sql.exec<Row>(
      "SELECT state, expires_at, kept_until FROM token WHERE id = ? AND kept_until > ?",
      id,
      expiredByEveryClock(),
    );
    return row;
  }

  #write(id: string, state: State, expiresAt: number, keptUntil: number): void {
    const { sql } = this.ctx.storage;
    // The table is not made in the constructor, so that an object that is only asked stores nothing.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS token (id TEXT PRIMARY KEY, state TEXT NOT NULL, expires_at INTEGER NOT NULL, kept_until INTEGER NOT NULL) WITHOUT ROWID",
    );
    sql.exec(
      "INSERT OR REPLACE INTO token VALUES (?, ?, ?, ?)",
      id,
      state,
      expiresAt,
      keptUntil,
    );
  }

  #hasTable(): boolean {
    const [table] = this.ctx.storage.sql.exec(
      "SELECT 1 FROM sqlite_master WHERE name = 'token'",
    );
    return table !== undefined;
  }

  async #scheduleSweep(): Promise<void> {
    if (!this.#hasTable()) return;
    if ((await this.ctx.storage.getAlarm()) === null)
      await this.ctx.storage.setAlarm(Date.now() + SWEEP_INTERVAL_MS);
  }
}

/** The latest time that has passed by the clock of every location, in seconds since 1970. */
function expiredByEveryClock(): number {
  return Date.now() / 1000 - CLOCK_SKEW_SECONDS;
}
