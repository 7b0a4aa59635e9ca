import { base64url } from "jose";
import type { Reason } from "../oauth/errors.ts";
import { decrypt, isCiphertext } from "./ciphertext.ts";
import { Forgeries, type RateLimit } from "./forgeries.ts";
import type { LeagueKey } from "./key.ts";
import { type LeagueToken, readRefreshToken } from "./payload.ts";

/** How many tokens an isolate remembers: of a few hundred bytes each. */
const MAX_REMEMBERED = 1_000;

const encoder = new TextEncoder();

/**
 * Opens league tokens with the old server's key. With a password that costs a derivation of many
 * iterations, so nothing that lacks the shape comes so far, nobody may try many forged ones, and a token
 * that was opened once is not opened again: whoever sends it a second time costs a digest.
 */
export class LeagueTokenReader {
  readonly #key: LeagueKey;
  readonly #forgeries: Forgeries;
  /** By the token's digest, the one that was asked for last at the end. */
  readonly #opened = new Map<string, LeagueToken>();

  constructor(key: LeagueKey, forgeries: RateLimit) {
    this.#key = key;
    this.#forgeries = new Forgeries(forgeries);
  }

  /**
   * The payload of a token, or the reason why the old server has not made it. May cost some ten milliseconds
   * of CPU, so the client must be authenticated before.
   *
   * @param caller may try a limited number of forged tokens
   * @throws OAuthError `league_tokens_limited`
   */
  async read(token: string, caller: string): Promise<LeagueToken | Reason> {
    if (!isCiphertext(token)) return "refresh_token_malformed";
    const digest = await digestOf(token);
    const name = base64url.encode(digest);
    const known = this.#opened.get(name);
    if (known) {
      this.#remember(name, known);
      return known;
    }
    const text = await this.#decrypt(token, caller);
    if (!text) return "refresh_token_forged";
    const opened = readRefreshToken(text, digest);
    if (!opened) return "league_token_unreadable";
    this.#remember(name, opened);
    return opened;
  }

  #decrypt(token: string, caller: string): Promise<Uint8Array | undefined> {
    const work = () => decrypt(this.#key, token);
    return this.#key.isPassword ? this.#forgeries.try(caller, work) : work();
  }

  #remember(name: string, token: LeagueToken): void {
    this.#opened.delete(name);
    this.#opened.set(name, token);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > MAX_REMEMBERED && oldest !== undefined)
      this.#opened.delete(oldest);
  }
}

async function digestOf(token: string): Promise<Uint8Array> {
  const bytes = encoder.encode(`baton league token ${token}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
