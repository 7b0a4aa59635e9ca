import { z } from "zod";
import type { LocalServer } from "../../src/cli/local/local-server.ts";

/** Far longer than any answer takes, even on a busy machine. */
const TIMEOUT_MS = 20_000;

const client = z.object({ client_id: z.string(), client_secret: z.string() });
const tokens = z.object({ refresh_token: z.string() });
const refusal = z.object({ error: z.string() });

/** The outcome of a request for tokens. */
export type Answer =
  | { outcome: "issued"; refreshToken: string }
  | { outcome: "refused"; error: string }
  /** No complete answer came, so what the server did is unknown. */
  | { outcome: "lost"; cause: unknown };

/** A confidential client of the server under test. */
export class TokenClient {
  readonly #server: LocalServer;
  readonly #credentials: z.output<typeof client>;

  static async register(
    server: LocalServer,
    metadata: object,
  ): Promise<TokenClient> {
    const answer = await admin(server, "/clients", metadata);
    return new TokenClient(server, client.parse(answer));
  }

  private constructor(
    server: LocalServer,
    credentials: z.output<typeof client>,
  ) {
    this.#server = server;
    this.#credentials = credentials;
  }

  /** Starts a family. @returns its first refresh token */
  async login(subject: string): Promise<string> {
    const { client_id } = this.#credentials;
    const answer = await admin(this.#server, "/grants", { client_id, subject });
    return tokens.parse(answer).refresh_token;
  }

  /** Refreshes with exactly one request. It does not retry. */
  async refresh(refresh_token: string): Promise<Answer> {
    try {
      const response = await fetch(`${this.#server.url}/access_token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token,
          ...this.#credentials,
        }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      // The proxy of `wrangler dev` may run for a moment longer than the server behind it.
      if (response.status >= 500)
        throw new Error(`${response.status}: ${await response.text()}`);
      const body = await response.json();
      return response.ok
        ? { outcome: "issued", refreshToken: tokens.parse(body).refresh_token }
        : { outcome: "refused", error: refusal.parse(body).error };
    } catch (cause) {
      return { outcome: "lost", cause };
    }
  }
}

/** Calls the admin API. The call must succeed. */
async function admin(
  { url, secrets }: LocalServer,
  path: string,
  body: object,
): Promise<unknown> {
  const response = await fetch(`${url}/admin${path}`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${secrets.ADMIN_TOKEN}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
