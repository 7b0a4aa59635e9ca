import { request } from "undici";
import { Failure } from "../../../src/cli/failure.ts";
import { TIME_HEADER } from "./clock/time-header.ts";
import type { Sender, Stage } from "./play.ts";
import type { Prove } from "./proofs.ts";

/** A server's token endpoint and a client of it. */
export interface TokenClient {
  /** For error messages. */
  name: string;
  tokenUrl: string;
  clientId: string;
  /** Left out: a public client without a key. */
  prove?: Prove;
  /** Signs a new user in. @param headers to be sent with each request @returns the first refresh token */
  login(headers: Record<string, string>): Promise<string>;
}

/** A server that is reached by HTTP, whose clock is set by a header of each request. */
export class HttpStage implements Stage {
  readonly #client: TokenClient;
  #time = 0;

  constructor(client: TokenClient) {
    this.#client = client;
  }

  setTime(seconds: number): void {
    this.#time = seconds;
  }

  login(): Promise<string> {
    return this.#client.login(this.#headers);
  }

  async refresh(token: string, sender: Sender): Promise<string | undefined> {
    const { tokenUrl, clientId, prove } = this.#client;
    const proof = await prove?.(sender, this.#time);
    const { statusCode, body } = await request(tokenUrl, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        ...this.#headers,
        ...proof?.headers,
      },
      body: new URLSearchParams({
        grant_type: "refresh_token",
        client_id: clientId,
        refresh_token: token,
        ...proof?.form,
      }).toString(),
    });
    const text = await body.text();
    const answer = parsed(text);
    if (statusCode === 200 && typeof answer.access_token === "string")
      // RFC 6749 section 6: without a new one, the client keeps the one that it has.
      return typeof answer.refresh_token === "string"
        ? answer.refresh_token
        : token;
    if (statusCode === 400 && isAboutTheToken(answer)) return undefined;
    // A thief without the key of the client can't authenticate.
    if (
      statusCode === 401 &&
      answer.error === "invalid_client" &&
      sender === "thief" &&
      proof?.form
    )
      return undefined;
    throw new Failure(
      `${this.#client.name} gave an answer that is neither tokens nor the refusal of a token: ${statusCode} ${text}`,
    );
  }

  get #headers(): Record<string, string> {
    return { [TIME_HEADER]: String(Math.round(this.#time * 1000)) };
  }
}

/**
 * True for the refusal of a token. RFC 6749 section 5.2 asks for `invalid_grant`. @jmondi/oauth2-server says
 * `invalid_request` instead, and describes the token.
 */
function isAboutTheToken({
  error,
  error_description,
}: Record<string, unknown>): boolean {
  return (
    error === "invalid_grant" ||
    (error === "invalid_request" &&
      /^Token has (been revoked|expired)$|refresh_token/.test(
        String(error_description),
      ))
  );
}

function parsed(text: string): Record<string, unknown> {
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
