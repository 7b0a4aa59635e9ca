import * as base64url from "jose/base64url";
import type { Reason } from "../oauth/errors.ts";
import { decrypt, isCiphertext } from "./ciphertext.ts";
import type { Guesser, GuessLimit } from "../oauth/guess-limit.ts";
import type { LeagueKey } from "./key.ts";
import { type LeagueToken, readRefreshToken } from "./payload.ts";

/** The most decrypted tokens that an isolate keeps, of a few hundred bytes each. */
const MAX_KEPT = 1_000;

const encoder = new TextEncoder();

/**
 * Decrypts league tokens with the old server's key. With a password each decryption costs a key derivation of
 * many iterations. So a token without the shape is refused first, the number of forged tokens per client and
 * network is limited, and the content of a decrypted token is kept, readable or not: presented again, the token
 * costs one digest and is not limited.
 */
export class LeagueTokenReader {
  readonly #key: LeagueKey;
  readonly #guesses: GuessLimit;
  /** By the token's digest. The one that was used last is the last entry. */
  readonly #decrypted = new Map<string, LeagueToken | Reason>();

  constructor(key: LeagueKey, guesses: GuessLimit) {
    this.#key = key;
    this.#guesses = guesses;
  }

  /**
   * Decrypts a token. It may cost some ten milliseconds of CPU time, so the client must be authenticated
   * first.
   *
   * @param presenter who presents the token: each may present a limited number of forged ones
   * @returns the content, or the reason why the token is not valid
   * @throws OAuthError `league_tokens_limited`
   */
  async read(
    token: string,
    presenter: Omit<Guesser, "kind">,
  ): Promise<LeagueToken | Reason> {
    if (!isCiphertext(token)) return "refresh_token_malformed";
    const digest = await digestOf(token);
    const name = base64url.encode(digest);
    const known = this.#decrypted.get(name);
    if (known) {
      this.#keep(name, known);
      return known;
    }
    const text = await this.#decrypt(token, presenter);
    if (!text) return "refresh_token_forged";
    const content = readRefreshToken(text, digest) ?? "league_token_unreadable";
    this.#keep(name, content);
    return content;
  }

  #decrypt(
    token: string,
    presenter: Omit<Guesser, "kind">,
  ): Promise<Uint8Array | undefined> {
    const work = () => decrypt(this.#key, token);
    return this.#key.isPassword
      ? this.#guesses.limit(
          { kind: "league_token", ...presenter },
          work,
          (text) => text === undefined,
        )
      : work();
  }

  #keep(name: string, token: LeagueToken | Reason): void {
    this.#decrypted.delete(name);
    this.#decrypted.set(name, token);
    const [leastRecent] = this.#decrypted.keys();
    if (this.#decrypted.size > MAX_KEPT && leastRecent !== undefined)
      this.#decrypted.delete(leastRecent);
  }
}

/** Digests a whole token. The prefix keeps the digest apart from every other SHA-256 of the token. */
async function digestOf(token: string): Promise<Uint8Array> {
  const bytes = encoder.encode(`baton league token ${token}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
