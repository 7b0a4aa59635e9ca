import { OAuthError, type Reason } from "../oauth/errors.ts";
import type {
  LeagueToken,
  LeagueTokenReader,
} from "../oauth/league-repositories.ts";
import { decrypt, isCiphertext } from "./ciphertext.ts";
import type { LeagueKey } from "./key.ts";
import { readRefreshToken } from "./refresh-token.ts";

/** How many tokens an isolate remembers: of a few hundred bytes each. */
const MOST_REMEMBERED = 1_000;
/** How many callers it keeps out at once. */
const MOST_KEPT_OUT = 1_000;
/** For how long: the period of the rate limit in wrangler.toml. */
const KEPT_OUT_SECONDS = 60;

const encoder = new TextEncoder();

/** Counts, for all isolates of a location. */
interface RateLimit {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

/**
 * Opens league tokens with the old server's key. With a password that costs a derivation of many
 * iterations, so nothing that lacks the shape comes so far, nobody may try many forged ones, and a token
 * that was opened once is not opened again: whoever sends it a second time costs a digest.
 */
export class KeyedReader implements LeagueTokenReader {
  readonly #key: LeagueKey;
  readonly #forgeries: RateLimit;
  /** By the token's digest, in the order of opening. */
  readonly #opened = new Map<string, LeagueToken>();
  /** Callers who have tried too many, and until when in milliseconds. */
  readonly #keptOut = new Map<string, number>();

  constructor(key: LeagueKey, forgeries: RateLimit) {
    this.#key = key;
    this.#forgeries = forgeries;
  }

  async open(token: string, caller: string): Promise<LeagueToken | Reason> {
    if (!isCiphertext(token)) return "refresh_token_malformed";
    const digest = await digestOf(token);
    const name = digest.toBase64();
    const known = this.#opened.get(name);
    if (known) return known;

    this.#refuseKeptOut(caller);
    const text = await decrypt(this.#key, token);
    const opened = text && readRefreshToken(text, digest);
    if (opened) {
      remember(this.#opened, name, opened, MOST_REMEMBERED);
      return opened;
    }
    await this.#countForgery(caller);
    return text ? "league_token_unreadable" : "refresh_token_forged";
  }

  #refuseKeptOut(caller: string): void {
    const until = this.#keptOut.get(caller) ?? 0;
    const seconds = Math.ceil((until - Date.now()) / 1000);
    if (seconds <= 0) return;
    // Not `invalid_grant`: the token may be good, and a client that believed otherwise would drop it.
    throw new OAuthError("league_tokens_limited", {
      headers: { "Retry-After": String(seconds) },
    });
  }

  /** Only forged tokens are counted, where they cost something: a back end may bring any number of good ones. */
  async #countForgery(caller: string): Promise<void> {
    if (!this.#key.isPassword) return;
    const { success } = await this.#forgeries.limit({ key: caller });
    if (success) return;
    const until = Date.now() + KEPT_OUT_SECONDS * 1000;
    remember(this.#keptOut, caller, until, MOST_KEPT_OUT);
  }
}

async function digestOf(token: string): Promise<Uint8Array> {
  const bytes = encoder.encode(`baton league token ${token}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Bounded: the oldest goes first. */
function remember<T>(
  memory: Map<string, T>,
  name: string,
  value: T,
  most: number,
): void {
  memory.delete(name);
  memory.set(name, value);
  const [oldest] = memory.keys();
  if (memory.size > most && oldest !== undefined) memory.delete(oldest);
}
