import { DurableObject } from "cloudflare:workers";
import type { OldToken } from "../oauth/takeover.ts";
import { CLOCK_SKEW_SECONDS } from "../oauth/duration.ts";

/** How often entries of expired tokens are looked for. */
const SWEEP_MS = 24 * 60 * 60 * 1000;

type State = "revoked" | "exchanged";

/** Times in seconds. */
interface Row extends Record<string, SqlStorageValue> {
  state: State;
  /** When the token expires. */
  expires_at: number;
  /** When the row may go: of a token that has become a family, not before that has ended. */
  kept_until: number;
}

/**
 * What is known of the tokens of the old server: which it had revoked, and which have become a family
 * here. A row a token, many tokens an object (`LeagueLedgers` spreads them): there may be millions of
 * revoked ones, each for as long as it would have lived.
 *
 * Whoever exchanges a token asks before, and notes it after: so a token that is revoked at the same
 * moment is noticed by one of the two.
 */
export class LeagueLedger extends DurableObject<Env> {
  /** What is known of a token, if anything: reading writes nothing. */
  async stateOf(id: string): Promise<State | undefined> {
    return this.#row(id)?.state;
  }

  /** The same for several. */
  async statesOf(ids: string[]): Promise<(State | undefined)[]> {
    return ids.map((id) => this.#row(id)?.state);
  }

  /**
   * A token has become a family: `new` the first time, unless it was revoked in between.
   *
   * @param familyEnds seconds: until then somebody may say that the token was revoked all along
   */
  async noteExchange(
    { refresh_token_id: id, expires_at }: OldToken,
    familyEnds: number,
  ): Promise<"new" | "known" | "revoked"> {
    const row = this.#row(id);
    if (row?.state === "revoked") return "revoked";
    const until = Math.max(expires_at, familyEnds);
    // A fault may have taken a family back that was noted here; the next one ends later.
    if (!row || row.kept_until < until - SWEEP_MS / 1000)
      this.#write(id, "exchanged", expires_at, until);
    await this.#sweepLater();
    return row ? "known" : "new";
  }

  /**
   * Revokes tokens, and says which of them have become a family: those stay as they are, until it is
   * certain that the family has ended.
   *
   * @param endedFamilies it is certain for all of them
   */
  async revoke(entries: OldToken[], endedFamilies = false): Promise<string[]> {
    const exchanged: string[] = [];
    for (const { refresh_token_id: id, expires_at } of entries) {
      const row = this.#row(id);
      const until = Math.max(expires_at, row?.expires_at ?? 0);
      if (row?.state === "exchanged" && !endedFamilies) exchanged.push(id);
      // Nobody can exchange what has expired by every clock.
      else if (until > lastMoment())
        if (row?.state !== "revoked" || row.expires_at < until)
          this.#write(id, "revoked", until, until);
    }
    await this.#sweepLater();
    return exchanged;
  }

  /** How many tokens are in either state, and have not expired. */
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

  /** Entries end when their tokens and families have, whoever's clock it goes by. */
  override async alarm(): Promise<void> {
    if (!this.#hasTable()) return;
    const { sql } = this.ctx.storage;
    sql.exec("DELETE FROM token WHERE kept_until <= ?", lastMoment());
    const [left] = sql.exec("SELECT 1 FROM token LIMIT 1");
    if (left) await this.ctx.storage.setAlarm(Date.now() + SWEEP_MS);
    else await this.ctx.storage.deleteAll();
  }

  #row(id: string): Row | undefined {
    if (!this.#hasTable()) return undefined;
    const [row] = this.ctx.storage.sql.exec<Row>(
      "SELECT state, expires_at, kept_until FROM token WHERE id = ? AND kept_until > ?",
      id,
      lastMoment(),
    );
    return row;
  }

  #write(id: string, state: State, expiresAt: number, keptUntil: number): void {
    const { sql } = this.ctx.storage;
    // Not in the constructor: whoever only asks leaves nothing here.
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

  async #sweepLater(): Promise<void> {
    if (!this.#hasTable()) return;
    if ((await this.ctx.storage.getAlarm()) === null)
      await this.ctx.storage.setAlarm(Date.now() + SWEEP_MS);
  }
}

/** What ended before that has ended by every clock; in seconds. */
function lastMoment(): number {
  return Date.now() / 1000 - CLOCK_SKEW_SECONDS;
}
