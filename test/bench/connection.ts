import { Client } from "undici";
import { Failure } from "../../src/cli/failure.ts";
import type { BenchClient } from "./contender.ts";
import type { Entrant } from "./entrant.ts";

/** A server that does not answer for this long is stuck. */
const TIMEOUT_MS = 30_000;
/** How much of a wrong answer an error message shows. */
const MAX_SHOWN_CHARACTERS = 500;

/** The tokens in an answer of a token endpoint (RFC 6749 section 5.1) to a rotation. */
export interface Tokens {
  access_token: string;
  refresh_token: string;
}

interface Answer {
  status: number;
  text: string;
}

/** One keep-alive connection to the token endpoint of a contender. It checks each answer in full. */
export class Connection {
  readonly entrant: Entrant;
  readonly #path: string;
  readonly #form: string;
  readonly #http: Client;

  constructor(entrant: Entrant, client: BenchClient = entrant.client) {
    this.entrant = entrant;
    this.#path = client.tokenPath;
    this.#form = new URLSearchParams({
      grant_type: "refresh_token",
      ...client.credentials,
    }).toString();
    this.#http = new Client(entrant.server.url, {
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
  }

  /** Connects, so that no exchange waits for the connection. */
  async open(): Promise<void> {
    const { body } = await this.#http.request({ method: "GET", path: "/" });
    await body.dump();
  }

  /** Exchanges a refresh token. @throws Failure if the exchange is refused or the answer is wrong */
  async exchange(token: string): Promise<Tokens> {
    const answer = await this.#post(token);
    if (answer.status !== 200)
      throw this.#wrong(token, answer, "its status is not 200");
    return this.#tokensIn(answer, token);
  }

  /** @returns undefined if the exchange is refused @throws Failure if the answer is wrong */
  async tryToExchange(token: string): Promise<Tokens | undefined> {
    const answer = await this.#post(token);
    if (answer.status === 200) return this.#tokensIn(answer, token);
    // RFC 6749 section 5.2: 400 with an error, or 401 if client authentication failed.
    if (answer.status === 400 || answer.status === 401) return undefined;
    throw this.#wrong(
      token,
      answer,
      "its status is neither 200 nor a refusal of a token",
    );
  }

  close(): Promise<void> {
    return this.#http.destroy();
  }

  async #post(token: string): Promise<Answer> {
    try {
      const { statusCode, body } = await this.#http.request({
        method: "POST",
        path: this.#path,
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: `${this.#form}&refresh_token=${encodeURIComponent(token)}`,
      });
      return { status: statusCode, text: await body.text() };
    } catch (error) {
      const { name, server } = this.entrant;
      const reason = error instanceof Error ? error.message : String(error);
      throw new Failure(
        `${name} did not answer an exchange: ${reason}\nIts log ends:\n${server.logEnd()}`,
        { cause: error },
      );
    }
  }

  #tokensIn(answer: Answer, presented: string): Tokens {
    let json: Record<string, unknown> | null;
    try {
      json = JSON.parse(answer.text) as typeof json;
    } catch {
      throw this.#wrong(presented, answer, "it is not JSON");
    }
    const { token_type, expires_in, access_token, refresh_token } = json ?? {};
    // RFC 6749 section 5.1: token_type is case-insensitive.
    if (typeof token_type !== "string" || !/^bearer$/i.test(token_type))
      throw this.#wrong(presented, answer, "token_type is not Bearer");
    if (!Number.isSafeInteger(expires_in) || Number(expires_in) <= 0)
      throw this.#wrong(
        presented,
        answer,
        "expires_in is not a positive integer",
      );
    if (typeof access_token !== "string" || access_token === "")
      throw this.#wrong(presented, answer, "it has no access token");
    if (typeof refresh_token !== "string" || refresh_token === "")
      throw this.#wrong(presented, answer, "it has no refresh token");
    if (refresh_token === presented)
      throw this.#wrong(
        presented,
        answer,
        "its refresh token is the one that was presented",
      );
    return { access_token, refresh_token };
  }

  #wrong(token: string, { status, text }: Answer, reason: string): Failure {
    const { name } = this.entrant;
    const sent = `POST ${this.#path} with a refresh token of ${token.length} characters, ${token.slice(0, 6)}…`;
    return new Failure(
      `${name} gave a wrong answer: ${reason}\nsent: ${sent}\nreceived: ${status} ${text.slice(0, MAX_SHOWN_CHARACTERS)}`,
    );
  }
}
