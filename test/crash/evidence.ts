import type { Secrets } from "../../src/cli/local/dev-vars.ts";
import { verifyRefreshToken } from "../../src/oauth/tokens/refresh-token.ts";
import { deriveTokenKey } from "../../src/oauth/tokens/token-keys.ts";
import type { Session } from "./session.ts";

/** The lifetime of refresh tokens in these tests, in seconds. With it a token's expiry tells when it was made. */
export const TOKEN_LIFETIME = 86_400;

/** Compares what the sessions have seen with what the server wrote into the tokens. */
export class Evidence {
  readonly #secrets: Secrets;
  readonly #sessions: Session[];

  constructor({ secrets }: { secrets: Secrets }, sessions: Session[]) {
    this.#secrets = secrets;
    this.#sessions = sessions;
  }

  /** For each presented token that was answered, the successors in the answers. */
  get answers(): string[][] {
    return this.#sessions.flatMap(({ answers }) => [...answers.values()]);
  }

  /** The tokens whose answer was lost in a crash. */
  get lost(): string[] {
    return this.#sessions.flatMap(({ lost }) => [...lost.keys()]);
  }

  /** Those lost tokens that got an answer when they were presented again. */
  get lostAndAnswered(): string[] {
    return this.#sessions.flatMap(({ lost, answers }) =>
      [...lost.keys()].filter((token) => answers.has(token)),
    );
  }

  /** Those lost tokens whose successor was made before the crash, so that only the answer was lost. */
  async exchangedBeforeCrash(): Promise<string[]> {
    const tokens: string[] = [];
    for (const { lost, answers } of this.#sessions) {
      for (const [token, upSince] of lost) {
        const [successor] = answers.get(token) ?? [];
        if (successor === undefined) continue;
        const { expires_at } = await this.#claims(successor);
        if (expires_at - TOKEN_LIFETIME < upSince) tokens.push(token);
      }
    }
    return tokens;
  }

  /** The sessions whose newest token has a different generation than the client counted. */
  async miscounted(): Promise<Session[]> {
    const miscounted: Session[] = [];
    for (const session of this.#sessions) {
      const { generation } = await this.#claims(session.token);
      if (generation !== 1 + session.answers.size) miscounted.push(session);
    }
    return miscounted;
  }

  async #claims(token: string) {
    const key = await deriveTokenKey(
      Buffer.from(this.#secrets.ENCRYPTION_KEY, "base64"),
    );
    const claims = await verifyRefreshToken([key], token);
    if (typeof claims === "string") throw new Error(claims);
    return claims;
  }
}
