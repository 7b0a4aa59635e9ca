import { z } from "zod";
import type { Reporter } from "./reporter.ts";

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

/** The client's redirect URI. No server answers there, because the demo itself acts as the browser. */
export const REDIRECT_URI = "http://localhost/callback";

/** Sends the requests of the demo. Reports each one and checks the status of its response. */
export class DemoClient {
  readonly #url: string;
  readonly #adminToken: string;
  readonly #reporter: Reporter;

  constructor(url: string, adminToken: string, reporter: Reporter) {
    this.#url = url;
    this.#adminToken = adminToken;
    this.#reporter = reporter;
  }

  get(path: string): Promise<object> {
    this.#reporter.sent(`GET ${path}`, {});
    return this.#send(path, {}, 200);
  }

  /** Sends a request to the admin API. @param body is sent as JSON */
  async admin(
    method: string,
    path: string,
    body: object,
    status = 200,
  ): Promise<object> {
    this.#reporter.sent(`${method} /admin${path}`, body);
    const init = {
      method,
      headers: {
        Authorization: `Bearer ${this.#adminToken}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(body),
    };
    return this.#send(`/admin${path}`, init, status);
  }

  async registerClient(metadata: object): Promise<Client> {
    return client.parse(await this.admin("POST", "/clients", metadata, 201));
  }

  /** Creates a grant through the admin API, as a back end does after it has authenticated a user. */
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

  async expectRefreshRefused(
    client: Client,
    refreshToken: string,
  ): Promise<void> {
    await this.expectRefused(
      refreshForm(client, refreshToken),
      "invalid_grant",
    );
  }

  /** Sends a token request that the server must refuse with this error code. */
  async expectRefused(
    form: Record<string, string>,
    code: string,
  ): Promise<void> {
    const { error } = refusal.parse(await this.#post(form, 400));
    this.#reporter.check(`the error is ${code}`, error === code);
  }

  /** Sends a token request whose response must have a refresh token. */
  async requestTokens(form: Record<string, string>): Promise<Tokens> {
    return tokens.parse(await this.#post(form, 200));
  }

  /** Sends a token request whose response needs no refresh token. */
  async requestAccessToken(form: Record<string, string>) {
    return accessToken.parse(await this.#post(form, 200));
  }

  #post(form: Record<string, string>, status: number): Promise<object> {
    this.#reporter.sent("POST /access_token", form);
    const init = { method: "POST", body: new URLSearchParams(form) };
    return this.#send("/access_token", init, status);
  }

  /** Loads a page, as a browser does. @returns the HTML */
  async loadPage(path: string): Promise<string> {
    const { pathname, searchParams } = new URL(path, this.#url);
    this.#reporter.sent(`GET ${pathname}`, Object.fromEntries(searchParams));
    const response = await this.#fetch(path, {});
    const text = await response.text();
    this.#reporter.received(response.status, {});
    expectStatus(response, 200);
    return text;
  }

  /** Follows a link or submits a form, as a browser does. @returns where the response redirects to */
  async requestRedirect(
    path: string,
    form?: Record<string, string>,
  ): Promise<URL> {
    const { pathname, searchParams } = new URL(path, this.#url);
    const method = form ? "POST" : "GET";
    const sent = form ?? Object.fromEntries(searchParams);
    this.#reporter.sent(`${method} ${pathname}`, sent);
    const body = form && { body: new URLSearchParams(form) };
    const response = await this.#fetch(path, { method, ...body });
    const location = new URL(response.headers.get("Location") ?? "", this.#url);
    const to = location.origin + location.pathname;
    const query = Object.fromEntries(location.searchParams);
    this.#reporter.received(response.status, { Location: to, ...query });
    expectStatus(response, 303);
    return location;
  }

  async #send(
    path: string,
    init: RequestInit,
    status: number,
  ): Promise<object> {
    const response = await this.#fetch(path, init);
    const body = z.looseObject({}).parse(await response.json());
    this.#reporter.received(response.status, body);
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

/** @throws Error if the response has another status */
function expectStatus(response: Response, status: number): void {
  if (response.status === status) return;
  throw new Error(
    `the response has status ${response.status} instead of ${status}`,
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
