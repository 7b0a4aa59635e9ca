import { z } from "zod";
import type { Narrator } from "./narrator.ts";

const client = z.looseObject({
  client_id: z.string(),
  client_secret: z.string(),
});
const tokens = z.looseObject({
  token_type: z.string(),
  expires_in: z.int(),
  access_token: z.string(),
  refresh_token: z.string(),
  scope: z.string(),
});

export type Client = z.output<typeof client>;
export type Tokens = z.output<typeof tokens>;

/** Sends the requests of the demo, each told and its status checked. */
export class StoryTeller {
  readonly #url: string;
  readonly #adminToken: string;
  readonly #narrator: Narrator;

  constructor(url: string, adminToken: string, narrator: Narrator) {
    this.#url = url;
    this.#adminToken = adminToken;
    this.#narrator = narrator;
  }

  get(path: string): Promise<object> {
    this.#narrator.sent(`GET ${path}`, {});
    return this.#answer(path, {}, 200);
  }

  /** @param body what is sent as JSON */
  async admin(
    method: string,
    path: string,
    body: object,
    status = 200,
  ): Promise<object> {
    this.#narrator.sent(`${method} /admin${path}`, body);
    const init = {
      method,
      headers: {
        Authorization: `Bearer ${this.#adminToken}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(body),
    };
    return this.#answer(`/admin${path}`, init, status);
  }

  async registerClient(metadata: object): Promise<Client> {
    return client.parse(await this.admin("POST", "/clients", metadata, 201));
  }

  /** What a back end does that has authenticated its user. */
  async logIn(subject: string): Promise<Tokens> {
    const body = { client_id: "notes-app", subject };
    return tokens.parse(await this.admin("POST", "/grants", body));
  }

  async refresh(
    client: Client,
    { refresh_token }: Pick<Tokens, "refresh_token">,
    more: { scope?: string } = {},
  ): Promise<Tokens> {
    const form = refreshForm(client, refresh_token);
    return tokens.parse(await this.#post({ ...form, ...more }, 200));
  }

  async refreshRefused(client: Client, refreshToken: string): Promise<void> {
    const form = refreshForm(client, refreshToken);
    const { error } = z
      .looseObject({ error: z.string() })
      .parse(await this.#post(form, 400));
    this.#narrator.check(
      "it is refused as invalid_grant",
      error === "invalid_grant",
    );
  }

  #post(form: Record<string, string>, status: number): Promise<object> {
    this.#narrator.sent("POST /access_token", form);
    const init = { method: "POST", body: new URLSearchParams(form) };
    return this.#answer("/access_token", init, status);
  }

  /** @throws Error if the status is another one, or the body is not JSON */
  async #answer(
    path: string,
    init: RequestInit,
    status: number,
  ): Promise<object> {
    const response = await fetch(this.#url + path, {
      ...init,
      signal: AbortSignal.timeout(10_000),
    });
    const body = z.looseObject({}).parse(await response.json());
    this.#narrator.received(response.status, body);
    if (response.status !== status) {
      throw new Error(
        `the answer is ${response.status} where it should be ${status}`,
      );
    }
    return body;
  }
}

function refreshForm(client: Client, refreshToken: string) {
  return {
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    client_id: client.client_id,
    client_secret: client.client_secret,
  };
}
