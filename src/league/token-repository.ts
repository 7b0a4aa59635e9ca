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
import { ABANDON_WAIT_MS, callObject, withRetry } from "../platform/retry.ts";
import type { SubjectIndex } from "../platform/subject-index.ts";
import type { TokenFamily } from "../platform/token-family.ts";

/**
 * The time at which the user of a league token signed in, in milliseconds since 1970. Nobody knows it; 0 is
 * before every logout, so that a logout ends all league tokens of its user. It is also before every
 * `tokens_not_before` of a client.
 */
export const UNKNOWN_SIGN_IN_MS = 0;

/**
 * Keeps the families of league tokens. The object of such a family has the token's id as its name, so that
 * one place decides whether the token was used, also after the family has ended.
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

  /** Derives the id of a token's family from the token's id. */
  familyIdOf(refreshTokenId: string): Uint8Array {
    return Uint8Array.fromHex(
      this.#families.idFromName(refreshTokenId).toString(),
    );
  }

  /**
   * Makes a token's family and exchanges the token, in one atomic step.
   *
   * The order is: ask ledger and subject index whether the token is good, make the family, add it to the
   * index, note it in the ledger. Index and ledger refuse if the user was logged out or the token revoked
   * meanwhile; then the family ends. As with a code, no token is given out that the index does not have, and
   * a fault of ours takes the family back.
   */
  async adopt(
    token: OldToken,
    family: NewFamily,
    attempt: ExchangeAttempt,
  ): Promise<ExchangeResult> {
    const { refresh_token_id, expires_at } = token;
    const { state, loggedOut } = await this.#lookUp(
      token,
      family.login.subject,
    );
    if (state === "revoked") return refused("league_token_revoked");
    if (loggedOut) return refused("league_token_logged_out");
    const { attempt_id } = attempt;
    const redemption = {
      attempt_id,
      code_id: refresh_token_id,
      authorized_at_ms: UNKNOWN_SIGN_IN_MS,
      redeemable_until: expires_at,
    };
    try {
      const answer = await this.#family(refresh_token_id, (object) =>
        object.adopt(family, redemption, attempt),
      );
      const result = JSON.parse(answer) as ExchangeResult;
      if (result.outcome === "refused") return result;
      const isAdded = await this.#index(family.login.subject, (index) =>
        index.add(
          this.#families.idFromName(refresh_token_id).toString(),
          UNKNOWN_SIGN_IN_MS,
        ),
      );
      // The ledger is the last step, because what it has noted counts as exchanged and is not taken back.
      const noted = await this.#ledgers.noteExchange(token, family.ends_at);
      if (isAdded && noted !== "revoked")
        // The first answer that is given out is not a retry, however many attempts it took.
        return noted === "known" ? result : firstAnswer(result);
      await this.#family(refresh_token_id, async (object) => object.revoke());
      return refused(
        isAdded ? "league_token_revoked" : "league_token_logged_out",
      );
    } catch (fault) {
      const id = this.#families.idFromName(refresh_token_id);
      const abandon = () => this.#families.get(id).abandon(family, redemption);
      await Promise.allSettled([withRetry(abandon, ABANDON_WAIT_MS)]);
      throw fault;
    }
  }

  /**
   * Revokes tokens and ends their families. The families end before the ledger notes it, so that a repeated
   * call after a fault goes on with the rest.
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

  /** Revokes one token for the client that `key` proves to own it. */
  async revokeOwn(token: OldToken, key: FamilyKey): Promise<RevocationResult> {
    const endFamily = () =>
      this.#family(token.refresh_token_id, async (object) =>
        object.revoke(key),
      );
    // The family is asked first whose token it is, because another client may know the token's id.
    const first = await endFamily();
    if (first.outcome === "refused") return first;
    const exchanged = await this.#ledgers.revoke([token]);
    if (exchanged.length === 0) return first;
    // The token was exchanged, perhaps after the first call: end the family again.
    const result = await endFamily();
    if (result.outcome !== "refused") await this.#ledgers.noteEnded(exchanged);
    return result;
  }

  /** Tells whether a token could be exchanged. It writes nothing. */
  async isExchangeable(
    token: Pick<LeagueToken, "refresh_token_id" | "subject">,
  ): Promise<boolean> {
    const [{ state, loggedOut }, hasBegun] = await Promise.all([
      this.#lookUp(token, token.subject),
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

  /** Reads what ledger and subject index know of a token. It writes nothing. */
  async #lookUp(
    { refresh_token_id }: Pick<OldToken, "refresh_token_id">,
    subject: string,
  ) {
    const [state, loggedOut] = await Promise.all([
      this.#ledgers.stateOf(refresh_token_id),
      this.#index(subject, (index) => index.isLoggedOut(UNKNOWN_SIGN_IN_MS)),
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

/** Makes the answer that the client gets first: it is not a retry. */
function firstAnswer({
  retry: _retry,
  ...result
}: Extract<ExchangeResult, { outcome: "exchanged" }>): ExchangeResult {
  return { ...result, retried: false };
}
