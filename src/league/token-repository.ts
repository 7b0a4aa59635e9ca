import type {
  ExchangeAttempt,
  ExchangeResult,
  FamilyKey,
  NewFamily,
  RevocationResult,
} from "../oauth/repositories.ts";
import type { OldToken, OldTokenCounts, Takeover } from "../oauth/takeover.ts";
import type { LeagueLedger } from "./ledger.ts";
import { LeagueLedgers } from "./ledgers.ts";
import type { LeagueToken } from "./payload.ts";
import { callObject } from "../platform/retry.ts";
import type { SubjectIndex } from "../platform/subject-index.ts";
import type { TokenFamily } from "../platform/token-family.ts";

/** By no clock: of a token of the old server nobody knows when its user has signed in. */
const LONG_AGO = 0;

/**
 * The old server's tokens. A token's family is in the object with the name of the token's id, so that
 * there is one place that decides whether it was used, however long its family has been gone.
 */
export class LeagueTokenRepository implements Takeover {
  readonly #families: DurableObjectNamespace<TokenFamily>;
  readonly #indexes: DurableObjectNamespace<SubjectIndex>;
  readonly #ledgers: LeagueLedgers;
  readonly acceptsTokens: boolean;

  constructor(
    families: DurableObjectNamespace<TokenFamily>,
    indexes: DurableObjectNamespace<SubjectIndex>,
    ledgers: DurableObjectNamespace<LeagueLedger>,
    acceptsTokens: boolean,
  ) {
    this.#families = families;
    this.#indexes = indexes;
    this.#ledgers = new LeagueLedgers(ledgers);
    this.acceptsTokens = acceptsTokens;
  }

  /** The id of the family that a token becomes. */
  familyIdOf(refreshTokenId: string): Uint8Array {
    return Uint8Array.fromHex(
      this.#families.idFromName(refreshTokenId).toString(),
    );
  }

  /**
   * Makes a token's family and exchanges the token, in one atomic step.
   *
   * First it is asked whether the token may become a family, then the family is made, and then index and
   * ledger are told; they say if the answer would be another one by now. As with a code, no token is given
   * out that the index does not know, and a fault of ours takes the family back.
   */
  async adopt(
    token: OldToken,
    family: NewFamily,
    attempt: ExchangeAttempt,
  ): Promise<ExchangeResult> {
    const { refresh_token_id, expires_at } = token;
    const { state, loggedOut } = await this.#standing(
      token,
      family.login.subject,
    );
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
      const welcome = await this.#index(family.login.subject, (index) =>
        index.add(
          this.#families.idFromName(refresh_token_id).toString(),
          LONG_AGO,
        ),
      );
      // The last one: what is noted here counts as exchanged, and is not taken back.
      const noted = await this.#ledgers.noteExchange(token, family.ends_at);
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
  }

  /**
   * Revokes tokens, and ends every family that one of them has become. The families end before the ledger
   * says so: called again after a fault, it goes on where it stopped.
   *
   * @returns how many families it has ended
   */
  async revoke(tokens: OldToken[]): Promise<number> {
    const exchanged = await this.#ledgers.revoke(tokens);
    const results = await Promise.all(
      exchanged.map(({ refresh_token_id }) =>
        this.#family(refresh_token_id, async (object) => object.revoke()),
      ),
    );
    await this.#ledgers.noteEnded(exchanged);
    return results.filter(({ outcome }) => outcome === "revoked").length;
  }

  /** Revokes one token, for a client that shows that the token is its own. */
  async revokeOwn(token: OldToken, key: FamilyKey): Promise<RevocationResult> {
    const end = () =>
      this.#family(token.refresh_token_id, async (object) =>
        object.revoke(key),
      );
    // First whether it is theirs: an id may be known to others, and a family says whose it is.
    const before = await end();
    if (before.outcome === "refused") return before;
    const exchanged = await this.#ledgers.revoke([token]);
    if (exchanged.length === 0) return before;
    // It has become a family, before or in between.
    const result = await end();
    if (result.outcome !== "refused") await this.#ledgers.noteEnded(exchanged);
    return result;
  }

  /** Tells whether a token could be exchanged. It writes nothing. */
  async isExchangeable(
    token: Pick<LeagueToken, "refresh_token_id" | "subject">,
  ): Promise<boolean> {
    const [{ state, loggedOut }, hasBegun] = await Promise.all([
      this.#standing(token, token.subject),
      this.#family(token.refresh_token_id, (object) => object.hasBegun()),
    ]);
    return state !== "revoked" && !loggedOut && !hasBegun;
  }

  count(): Promise<OldTokenCounts> {
    return this.#ledgers.count();
  }

  countOf(refreshTokenIds: string[]): Promise<OldTokenCounts> {
    return this.#ledgers.countOf(refreshTokenIds);
  }

  /** What ledger and index know of a token; asking writes nothing. */
  async #standing(
    { refresh_token_id }: Pick<OldToken, "refresh_token_id">,
    subject: string,
  ) {
    const [state, loggedOut] = await Promise.all([
      this.#ledgers.stateOf(refresh_token_id),
      this.#index(subject, (index) => index.isLoggedOut(LONG_AGO)),
    ]);
    return { state, loggedOut };
  }

  #family<T>(
    refreshTokenId: string,
    call: (family: DurableObjectStub<TokenFamily>) => Promise<T>,
  ): Promise<T> {
    return callObject(this.#families, refreshTokenId, call);
  }

  #index<T>(
    subject: string,
    call: (index: DurableObjectStub<SubjectIndex>) => Promise<T>,
  ): Promise<T> {
    return callObject(this.#indexes, subject, call);
  }
}

function refused(
  reason: "league_token_revoked" | "league_token_logged_out",
): ExchangeResult {
  return { outcome: "refused", reason };
}
