import type { OldTokenCounts, OldToken } from "../oauth/takeover.ts";
import type { LeagueLedger } from "./ledger.ts";
import { callObject } from "../platform/retry.ts";

/**
 * Over how many objects the ledger is spread: a move may bring thousands of exchanges a second, of which
 * an object takes some hundreds. It must not change while there are entries.
 */
const LEDGERS = 16;

/** The ledger as one, of all its objects. */
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

  /** Revokes tokens, but for those that have become a family, which it returns. */
  async revoke(tokens: OldToken[]): Promise<OldToken[]> {
    const ids = await this.#eachOf(tokens, idOf, (ledger, some) =>
      ledger.revoke(some),
    );
    const exchanged = new Set(ids.flat());
    return tokens.filter((token) => exchanged.has(idOf(token)));
  }

  /** The families of these tokens have ended. */
  async noteEnded(tokens: OldToken[]): Promise<void> {
    await this.#eachOf(tokens, idOf, (ledger, some) =>
      ledger.revoke(some, true),
    );
  }

  async count(): Promise<OldTokenCounts> {
    const counts = await Promise.all(
      Array.from({ length: LEDGERS }, (_, ledger) =>
        this.#call(String(ledger), (object) => object.count()),
      ),
    );
    return known((state) =>
      counts.reduce((total, count) => total + count[state], 0),
    );
  }

  async countOf(refreshTokenIds: string[]): Promise<OldTokenCounts> {
    const states = await this.#eachOf(
      refreshTokenIds,
      (id) => id,
      async (ledger, ids) => ledger.statesOf(ids),
    );
    return known(
      (state) => states.flat().filter((one) => one === state).length,
    );
  }

  /** Asks each ledger that has some of the tokens, all at once. */
  async #eachOf<T, R>(
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

function known(
  numberOf: (state: keyof OldTokenCounts) => number,
): OldTokenCounts {
  return { exchanged: numberOf("exchanged"), revoked: numberOf("revoked") };
}

/** The name of the ledger that has a token: spread evenly, whatever the ids look like. */
async function ledgerOf(refreshTokenId: string): Promise<string> {
  const bytes = new TextEncoder().encode(refreshTokenId);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return String(new Uint8Array(digest)[0]! % LEDGERS);
}
