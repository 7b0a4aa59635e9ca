import { z } from "zod";
import type { Narrator } from "./reporter.ts";

const client = z.looseObject({
  client_id: z.string(),
  client_secret: z.string(),
});
const accessToken = z.looseObject({
  token_type: z.string(),
  expires_in: z.int(),
  access_token: z.string(),
  scope: z.string(),
});
const tokens = accessToken.extend({ refresh_token: z.string() });
const refusal = z.looseObject({ error: z.string() });

export type Client = z.output<typeof client>;
export type Tokens = z.output<typeof tokens>;

/** The page of the client where a sign-in ends. Nothing is there: the demo plays the browser. */
export const REDIRECT_URI = "http://localhost/callback";

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
    await this.refused(refreshForm(client, refreshToken), "invalid_grant");
  }

  /** A token request that has to be refused. */
  async refused(form: Record<string, string>, code: string): Promise<void> {
    const { error } = refusal.parse(await this.#post(form, 400));
    this.#narrator.check(`it is refused as ${code}`, error === code);
  }

  /** A token request that has to succeed, with a refresh token in its answer. */
  async obtain(form: Record<string, string>): Promise<Tokens> {
    return tokens.parse(await this.#post(form, 200));
  }

  /** A token request that has to succeed, without one. */
  async obtainAccess(form: Record<string, string>) {
    return accessToken.parse(await this.#post(form, 200));
  }

  #post(form: Record<string, string>, status: number): Promise<object> {
    this.#narrator.sent("POST /access_token", form);
    const init = { method: "POST", body: new URLSearchParams(form) };
    return this.#answer("/access_token", init, status);
  }

  /** What a browser does with a link. */
  async browse(path: string): Promise<string> {
    const { pathname, searchParams } = new URL(path, this.#url);
    this.#narrator.sent(`GET ${pathname}`, Object.fromEntries(searchParams));
    const response = await this.#fetch(path, {});
    const text = await response.text();
    this.#narrator.received(response.status, {});
    expectStatus(response, 200);
    return text;
  }

  /** What a browser does with a link, or a form, that leads elsewhere. */
  async redirected(path: string, form?: Record<string, string>): Promise<URL> {
    const { pathname, searchParams } = new URL(path, this.#url);
    const method = form ? "POST" : "GET";
    const sent = form ?? Object.fromEntries(searchParams);
    this.#narrator.sent(`${method} ${pathname}`, sent);
    const body = form && { body: new URLSearchParams(form) };
    const response = await this.#fetch(path, { method, ...body });
    const location = new URL(response.headers.get("Location") ?? "", this.#url);
    const to = location.origin + location.pathname;
    const query = Object.fromEntries(location.searchParams);
    this.#narrator.received(response.status, { Location: to, ...query });
    expectStatus(response, 303);
    return location;
  }

  async #answer(
    path: string,
    init: RequestInit,
    status: number,
  ): Promise<object> {
    const response = await this.#fetch(path, init);
    const body = z.looseObject({}).parse(await response.json());
    this.#narrator.received(response.status, body);
    expectStatus(response, status);
    return body;
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    return fetch(new URL(path, this.#url), {
      ...init,
      redirect: "manual",
      signal: AbortSignal.timeout(10_000),
    });
  }
}

/** @throws Error if the status is another one */
function expectStatus(response: Response, status: number): void {
  if (response.status === status) return;
  throw new Error(
    `the answer is ${response.status} where it should be ${status}`,
  );
}

function refreshForm(client: Client, refreshToken: string) {
  return {
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    client_id: client.client_id,
    client_secret: client.client_secret,
  };
}
