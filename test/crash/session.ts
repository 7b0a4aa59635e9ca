/**
 * What a client stores about one login, which is one family of tokens. The client presents one token after
 * another, never two at once.
 */
export class Session {
  /** The newest refresh token that the client received. */
  token: string;
  /** For each presented token, the successor in every answer. */
  readonly answers = new Map<string, string[]>();
  /**
   * The tokens whose answer was lost in a crash. The value is the last start of the server before the token
   * was presented again, in seconds since 1970.
   */
  readonly lost = new Map<string, number>();
  /** The refusal that ended the session. */
  refusal: { token: string; error: string } | undefined;
  #used: string | undefined;
  #repeating: string | undefined;

  constructor(firstToken: string) {
    this.token = firstToken;
  }

  /** The token to present now. */
  get next(): string {
    return this.#repeating ?? this.token;
  }

  /** The token whose exchange returned the newest one. */
  get used(): string | undefined {
    return this.#used;
  }

  /**
   * Makes the client present the used token again, as a client does that received an answer and could not
   * store it. Does nothing if the newest token was already presented, because then the server would be right to
   * treat this as reuse.
   */
  repeatLastExchange(): void {
    if (!this.lost.has(this.token)) this.#repeating = this.#used;
  }

  /** Records an answer. @returns true if its token is new, false if the answer repeats an earlier one */
  issued(presented: string, successor: string): boolean {
    this.answers.set(presented, [
      ...(this.answers.get(presented) ?? []),
      successor,
    ]);
    if (presented !== this.token) {
      this.#repeating = undefined;
      return false;
    }
    this.#used = presented;
    this.token = successor;
    return true;
  }
}
