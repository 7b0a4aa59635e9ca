/**
 * What a client holds and remembers of one login, which is a family of tokens of its own. It presents
 * one token after another, never two at once.
 */
export class Session {
  /** The newest refresh token that it was given. */
  token: string;
  /** For each token that it presented, the successor in every answer that came. */
  readonly answers = new Map<string, string[]>();
  /**
   * The tokens whose answer a crash has cost, and since when the server was up again when they were
   * presented once more: seconds since 1970.
   */
  readonly lost = new Map<string, number>();
  /** Why the server refused it; it does not go on then. */
  refusal: { token: string; error: string } | undefined;
  #used: string | undefined;
  #inDoubt: string | undefined;

  constructor(firstToken: string) {
    this.token = firstToken;
  }

  /** The token to present now. */
  get next(): string {
    return this.#inDoubt ?? this.token;
  }

  /** The token that it was given the newest one for. */
  get used(): string | undefined {
    return this.#used;
  }

  /**
   * Makes it ask once more what it was answered already, as a client does that has received an answer
   * and could not store it. Only while the newest token is untouched: else its server would be right
   * to call that a reuse.
   */
  doubt(): void {
    if (!this.lost.has(this.token)) this.#inDoubt = this.#used;
  }

  /** @returns whether this is a new token, not an old answer again */
  given(presented: string, successor: string): boolean {
    this.answers.set(presented, [
      ...(this.answers.get(presented) ?? []),
      successor,
    ]);
    if (presented !== this.token) {
      this.#inDoubt = undefined;
      return false;
    }
    this.#used = presented;
    this.token = successor;
    return true;
  }
}
