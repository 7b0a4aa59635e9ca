import type {
  Known,
  LeagueTokenEntry,
  LeagueTokenRepository,
} from "../oauth/league-repositories.ts";
import type { ExchangeResult } from "../oauth/repositories.ts";
import type { LeagueLedger } from "./league-ledger.ts";
import { reach } from "./reach.ts";
import type { SubjectIndex } from "./subject-index.ts";
import type { TokenFamily } from "./token-family.ts";

/**
 * Over how many objects the ledger is spread: a move may bring thousands of exchanges a second, of which
 * an object takes some hundreds. It must not change while there are entries.
 */
const LEDGERS = 16;

/** By no clock: of a token of the old server nobody knows when its user has signed in. */
const LONG_AGO = 0;

/**
 * The old server's tokens. A token's family is in the object with the name of the token's id, so that
 * there is one place that decides whether it was used, however long its family has been gone.
 */
export class DurableLeagueTokens implements LeagueTokenRepository {
  readonly #families: DurableObjectNamespace<TokenFamily>;
  readonly #indexes: DurableObjectNamespace<SubjectIndex>;
  readonly #ledgers: DurableObjectNamespace<LeagueLedger>;

  constructor(
    families: DurableObjectNamespace<TokenFamily>,
    indexes: DurableObjectNamespace<SubjectIndex>,
    ledgers: DurableObjectNamespace<LeagueLedger>,
  ) {
    this.#families = families;
    this.#indexes = indexes;
    this.#ledgers = ledgers;
  }

  familyIdOf: LeagueTokenRepository["familyIdOf"] = (refreshTokenId) =>
    Uint8Array.fromHex(this.#families.idFromName(refreshTokenId).toString());

  /*
   * First it is asked whether the token may become a family, then the family is made, and then index and
   * ledger are told; they say if the answer would be another one by now. As with a code, no token is given
   * out that the index does not know, and a fault of ours takes the family back.
   */
  exchange: LeagueTokenRepository["exchange"] = async (
    token,
    family,
    attempt,
  ) => {
    const { refresh_token_id, expires_at } = token;
    const { state, loggedOut } = await this.#standing(token, family.subject);
    if (state === "revoked") return refused("league_token_revoked");
    if (loggedOut) return refused("league_token_logged_out");
    const { attempt_id } = attempt;
    const redemption = {
      attempt_id,
      code_id: refresh_token_id,
      authorized_at_ms: LONG_AGO,
      redeemable_until: expires_at,
    };
    try {
      const answer = await this.#family(refresh_token_id, (object) =>
        object.adopt(family, redemption, attempt),
      );
      const result = JSON.parse(answer) as ExchangeResult;
      if (result.outcome === "refused") return result;
      const welcome = await this.#index(family.subject, (index) =>
        index.add(
          this.#families.idFromName(refresh_token_id).toString(),
          LONG_AGO,
        ),
      );
      // The last one: what is noted here counts as exchanged, and is not taken back.
      const noted = await this.#ledger(refresh_token_id, (ledger) =>
        ledger.noteExchange(token, family.ends_at),
      );
      if (welcome && noted !== "revoked")
        // The first answer that is given out is no retry, however often it took.
        return { ...result, retried: result.retried && noted === "known" };
      await this.#family(refresh_token_id, async (object) => object.revoke());
      return refused(
        welcome ? "league_token_revoked" : "league_token_logged_out",
      );
    } catch (fault) {
      await Promise.allSettled([
        this.#family(refresh_token_id, (object) => object.abandon(attempt_id)),
      ]);
      throw fault;
    }
  };

  revoke: LeagueTokenRepository["revoke"] = async (tokens) => {
    const byLedger = await byLedgerOf(
      tokens,
      (token) => token.refresh_token_id,
    );
    const ended = await Promise.all(
      [...byLedger].map(([ledger, some]) => this.#revokeIn(ledger, some)),
    );
    return ended.reduce((sum, number) => sum + number, 0);
  };

  revokeOwn: LeagueTokenRepository["revokeOwn"] = async (token, key) => {
    const end = () =>
      this.#family(token.refresh_token_id, async (object) =>
        object.revoke(key),
      );
    // First whether it is theirs: an id may be known to others, and a family says whose it is.
    const before = await end();
    if (before.outcome === "refused") return before;
    const ledger = await ledgerOf(token.refresh_token_id);
    const exchanged = await this.#inLedger(ledger, (object) =>
      object.revoke([token]),
    );
    // It has become a family, before or in between.
    const result = exchanged.length > 0 ? await end() : before;
    if (exchanged.length > 0 && result.outcome !== "refused")
      await this.#inLedger(ledger, (object) => object.revoke([token], true));
    return result;
  };

  isGood: LeagueTokenRepository["isGood"] = async (token) => {
    const [{ state, loggedOut }, hasBegun] = await Promise.all([
      this.#standing(token, token.subject),
      this.#family(token.refresh_token_id, (object) => object.hasBegun()),
    ]);
    return state !== "revoked" && !loggedOut && !hasBegun;
  };

  count: LeagueTokenRepository["count"] = async () => {
    const counts = await Promise.all(
      Array.from({ length: LEDGERS }, (_, ledger) =>
        this.#inLedger(String(ledger), (object) => object.count()),
      ),
    );
    const sum = (state: keyof Known) =>
      counts.reduce((total, count) => total + count[state], 0);
    return { exchanged: sum("exchanged"), revoked: sum("revoked") };
  };

  countOf: LeagueTokenRepository["countOf"] = async (refreshTokenIds) => {
    const byLedger = await byLedgerOf(refreshTokenIds, (id) => id);
    const states = await Promise.all(
      [...byLedger].map(([ledger, ids]) =>
        this.#inLedger(ledger, async (object) => object.statesOf(ids)),
      ),
    );
    const sum = (state: keyof Known) =>
      states.flat().filter((one) => one === state).length;
    return { exchanged: sum("exchanged"), revoked: sum("revoked") };
  };

  /** What ledger and index know of a token; asking writes nothing. */
  async #standing(
    { refresh_token_id }: Pick<LeagueTokenEntry, "refresh_token_id">,
    subject: string,
  ) {
    const [state, loggedOut] = await Promise.all([
      this.#ledger(refresh_token_id, (ledger) =>
        ledger.stateOf(refresh_token_id),
      ),
      this.#index(subject, (index) => index.isLoggedOut(LONG_AGO)),
    ]);
    return { state, loggedOut };
  }

  /** Families that were made end before the ledger says so: done again, it goes on where it stopped. */
  async #revokeIn(ledger: string, tokens: LeagueTokenEntry[]): Promise<number> {
    const exchanged = await this.#inLedger(ledger, (object) =>
      object.revoke(tokens),
    );
    const results = await Promise.all(
      exchanged.map((id) =>
        this.#family(id, async (object) => object.revoke()),
      ),
    );
    if (exchanged.length > 0) {
      const over = tokens.filter(({ refresh_token_id }) =>
        exchanged.includes(refresh_token_id),
      );
      await this.#inLedger(ledger, (object) => object.revoke(over, true));
    }
    return results.filter(({ outcome }) => outcome === "revoked").length;
  }

  #family<T>(
    refreshTokenId: string,
    call: (family: DurableObjectStub<TokenFamily>) => Promise<T>,
  ): Promise<T> {
    const id = this.#families.idFromName(refreshTokenId);
    return reach(() => call(this.#families.get(id)));
  }

  #index<T>(
    subject: string,
    call: (index: DurableObjectStub<SubjectIndex>) => Promise<T>,
  ): Promise<T> {
    const id = this.#indexes.idFromName(subject);
    return reach(() => call(this.#indexes.get(id)));
  }

  async #ledger<T>(
    refreshTokenId: string,
    call: (ledger: DurableObjectStub<LeagueLedger>) => Promise<T>,
  ): Promise<T> {
    return this.#inLedger(await ledgerOf(refreshTokenId), call);
  }

  #inLedger<T>(
    ledger: string,
    call: (ledger: DurableObjectStub<LeagueLedger>) => Promise<T>,
  ): Promise<T> {
    const id = this.#ledgers.idFromName(ledger);
    return reach(() => call(this.#ledgers.get(id)));
  }
}

function refused(
  reason: "league_token_revoked" | "league_token_logged_out",
): ExchangeResult {
  return { outcome: "refused", reason };
}

/** Some tokens, by the ledgers that have them. */
async function byLedgerOf<T>(
  tokens: T[],
  idOf: (token: T) => string,
): Promise<Map<string, T[]>> {
  const ledgers = await Promise.all(
    tokens.map((token) => ledgerOf(idOf(token))),
  );
  return Map.groupBy(tokens, (_, position) => ledgers[position]!);
}

/** The name of the ledger that has a token: spread evenly, whatever the ids look like. */
async function ledgerOf(refreshTokenId: string): Promise<string> {
  const bytes = new TextEncoder().encode(refreshTokenId);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return String(new Uint8Array(digest)[0]! % LEDGERS);
}
