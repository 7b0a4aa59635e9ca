import { z } from "zod";
import type { LocalServer } from "../../src/cli/local/local-server.ts";

/** Far beyond what any answer takes, also on a busy machine. */
const PATIENCE_MS = 20_000;

const client = z.object({ client_id: z.string(), client_secret: z.string() });
const tokens = z.object({ refresh_token: z.string() });
const refusal = z.object({ error: z.string() });

/** What became of a request for tokens. */
export type Answer =
  | { outcome: "given"; refreshToken: string }
  | { outcome: "refused"; error: string }
  /** No whole answer came: nobody can tell what the server has done. */
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

  /** One request, which is never sent a second time from here. */
  async refresh(refresh_token: string): Promise<Answer> {
    try {
      const response = await fetch(`${this.#server.url}/access_token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token,
          ...this.#credentials,
        }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      // The proxy of `wrangler dev` may outlive the server behind it for a moment.
      if (response.status >= 500)
        throw new Error(`${response.status}: ${await response.text()}`);
      const body = await response.json();
      return response.ok
        ? { outcome: "given", refreshToken: tokens.parse(body).refresh_token }
        : { outcome: "refused", error: refusal.parse(body).error };
    } catch (cause) {
      return { outcome: "lost", cause };
    }
  }
}

/** A call of the admin API that has to succeed. */
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
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
