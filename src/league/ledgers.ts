import type { OldTokenCounts, OldToken } from "../oauth/takeover.ts";
import type { LeagueLedger } from "./ledger.ts";
import { callObject } from "../platform/retry.ts";

/**
 * The number of objects that the ledger is spread over. A move may bring thousands of exchanges per second,
 * and one object takes some hundreds. It must not change while there are rows, because it decides which
 * object has a token.
 */
const LEDGER_COUNT = 16;

/** The ledger as a whole: calls the objects that have the tokens. The methods are those of `LeagueLedger`. */
export class LeagueLedgers {
  readonly #ledgers: DurableObjectNamespace<LeagueLedger>;

  constructor(ledgers: DurableObjectNamespace<LeagueLedger>) {
    this.#ledgers = ledgers;
  }

  async stateOf(refreshTokenId: string) {
    return this.#call(await ledgerOf(refreshTokenId), (ledger) =>
      ledger.stateOf(refreshTokenId),
    );
  }

  async noteExchange(token: OldToken, familyEnds: number) {
    return this.#call(await ledgerOf(token.refresh_token_id), (ledger) =>
      ledger.noteExchange(token, familyEnds),
    );
  }

  /** Revokes tokens, except those that were exchanged; returns those. */
  async revoke(tokens: OldToken[]): Promise<OldToken[]> {
    const ids = await this.#callEach(tokens, idOf, (ledger, some) =>
      ledger.revoke(some),
    );
    const exchanged = new Set(ids.flat());
    return tokens.filter((token) => exchanged.has(idOf(token)));
  }

  /** Notes that the families of these tokens have ended. */
  async noteEnded(tokens: OldToken[]): Promise<void> {
    await this.#callEach(tokens, idOf, (ledger, some) =>
      ledger.revoke(some, true),
    );
  }

  async count(): Promise<OldTokenCounts> {
    const counts = await Promise.all(
      Array.from({ length: LEDGER_COUNT }, (_, ledger) =>
        this.#call(String(ledger), (object) => object.count()),
      ),
    );
    return countsBy((state) =>
      counts.reduce((total, count) => total + count[state], 0),
    );
  }

  async countOf(refreshTokenIds: string[]): Promise<OldTokenCounts> {
    const states = await this.#callEach(
      refreshTokenIds,
      (id) => id,
      async (ledger, ids) => ledger.statesOf(ids),
    );
    return countsBy(
      (state) => states.flat().filter((one) => one === state).length,
    );
  }

  /** Calls every object that has some of the tokens, at the same time, each with its tokens. */
  async #callEach<T, R>(
    tokens: T[],
    idOf: (token: T) => string,
    call: (ledger: DurableObjectStub<LeagueLedger>, some: T[]) => Promise<R>,
  ): Promise<R[]> {
    const names = await Promise.all(
      tokens.map((token) => ledgerOf(idOf(token))),
    );
    const byLedger = Map.groupBy(tokens, (_, position) => names[position]!);
    return Promise.all(
      [...byLedger].map(([name, some]) =>
        this.#call(name, (ledger) => call(ledger, some)),
      ),
    );
  }

  #call<R>(
    name: string,
    call: (ledger: DurableObjectStub<LeagueLedger>) => Promise<R>,
  ): Promise<R> {
    return callObject(this.#ledgers, name, call);
  }
}

function idOf({ refresh_token_id }: OldToken): string {
  return refresh_token_id;
}

/** Makes the counts of both states. */
function countsBy(
  numberOf: (state: keyof OldTokenCounts) => number,
): OldTokenCounts {
  return { exchanged: numberOf("exchanged"), revoked: numberOf("revoked") };
}

/**
 * Returns the name of the object that has a token. A digest spreads the tokens evenly, whatever their ids
 * look like.
 */
async function ledgerOf(refreshTokenId: string): Promise<string> {
  const bytes = new TextEncoder().encode(refreshTokenId);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return String(new Uint8Array(digest)[0]! % LEDGER_COUNT);
}
