import { z } from "zod";
import { type Address, connectionError } from "../commands/connection-error.ts";
import { printable } from "../output.ts";
import type { Reporter } from "./reporter.ts";

/** Much longer than any request takes. */
const REQUEST_TIMEOUT_MS = 10_000;

const client = z.looseObject({
  client_id: z.string(),
  client_secret: z.string(),
});
const accessToken = z.looseObject({
  token_type: z.string(),
  expires_in: z.int(),
  access_token: z.string(),
  scope: z.string().optional(),
});
const tokens = accessToken.extend({
  refresh_token: z.string(),
  refresh_token_timeout: z.int().optional(),
  authorization_expires_in: z.int().optional(),
});
const openIdTokens = tokens.extend({ id_token: z.string() });
const userInfo = z.looseObject({ sub: z.string() });
const refusal = z.looseObject({ error: z.string() });

export type Client = z.output<typeof client>;
export type Tokens = z.output<typeof tokens>;

/** A response of the token endpoint with an ID token. */
export type OpenIdTokens = z.output<typeof openIdTokens>;

/** The client's redirect URI. No server answers there, because the demo itself acts as the browser. */
export const REDIRECT_URI = "http://localhost/callback";

/** Where the browser goes back to after a sign-out. */
export const SIGNED_OUT_URI = "http://localhost/signed-out";

/** The server to play with, and its admin token. */
export interface PlayedServer extends Address {
  token: string;
}

/** Sends requests as an app, a browser and an administrator do. Reports each one and checks the response's status. */
export class DemoClient {
  readonly #server: PlayedServer;
  readonly #reporter: Reporter;
  readonly #signal: AbortSignal | undefined;

  /** @param signal ends the request that is under way, and refuses all others */
  constructor(server: PlayedServer, reporter: Reporter, signal?: AbortSignal) {
    this.#server = server;
    this.#reporter = reporter;
    this.#signal = signal;
  }

  get(path: string): Promise<object> {
    this.#reporter.sent(`GET ${path}`, {});
    return this.#send(path, {}, 200);
  }

  /** Sends a request to the admin API. @param body is sent as JSON */
  async admin(
    method: string,
    path: string,
    body?: object,
    status = 200,
  ): Promise<object> {
    this.#reporter.sent(`${method} /admin${path}`, body ?? {});
    const init = {
      method,
      headers: {
        Authorization: `Bearer ${this.#server.token}`,
        ...(body && { "Content-Type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    };
    return this.#send(`/admin${path}`, init, status);
  }

  async registerClient(metadata: object): Promise<Client> {
    return client.parse(await this.admin("POST", "/clients", metadata, 201));
  }

  /** Creates a grant through the admin API, as a back end does after it has authenticated a user. */
  async logIn(
    client_id: string,
    subject: string,
    more: { dpop_jkt?: string } = {},
  ): Promise<Tokens> {
    const body = { client_id, subject, ...more };
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
  async requestTokens(
    form: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Tokens> {
    return tokens.parse(await this.#post(form, 200, "/access_token", headers));
  }

  /** Sends a token request whose response must have an ID token. */
  async requestOpenIdTokens(
    form: Record<string, string>,
  ): Promise<OpenIdTokens> {
    return openIdTokens.parse(await this.#post(form, 200));
  }

  /** Refreshes the tokens of an app with OpenID Connect. */
  refreshOpenId(
    client: Client,
    { refresh_token }: Pick<Tokens, "refresh_token">,
  ): Promise<OpenIdTokens> {
    return this.requestOpenIdTokens(refreshForm(client, refresh_token));
  }

  /** Asks who the user of an access token is (OpenID Connect Core section 5.3). */
  async userInfo({ access_token }: Pick<Tokens, "access_token">) {
    this.#reporter.sent("GET /userinfo", { access_token });
    const headers = { Authorization: `Bearer ${access_token}` };
    return userInfo.parse(await this.#send("/userinfo", { headers }, 200));
  }

  /** Sends a token request whose response needs no refresh token. */
  async requestAccessToken(form: Record<string, string>) {
    return accessToken.parse(await this.#post(form, 200));
  }

  /** Asks whether a token is good (RFC 7662). */
  introspect(
    { client_id, client_secret }: Client,
    token: string,
  ): Promise<object> {
    const form = { token, client_id, client_secret };
    return this.#post(form, 200, "/introspect");
  }

  #post(
    form: Record<string, string>,
    status: number,
    path = "/access_token",
    headers: Record<string, string> = {},
  ): Promise<object> {
    this.#reporter.sent(`POST ${path}`, { ...form, ...headers });
    const body = new URLSearchParams(form);
    const init = { method: "POST", headers, body };
    return this.#send(path, init, status);
  }

  /** Loads a page, as a browser does. @returns the HTML */
  async loadPage(path: string): Promise<string> {
    const { pathname, searchParams } = new URL(path, this.#server.url);
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
    form?: Record<string, string | string[]>,
  ): Promise<URL> {
    const { pathname, searchParams } = new URL(path, this.#server.url);
    const method = form ? "POST" : "GET";
    const sent = form ?? Object.fromEntries(searchParams);
    this.#reporter.sent(`${method} ${pathname}`, sent);
    const body = form && { body: encoded(form) };
    const response = await this.#fetch(path, { method, ...body });
    const location = new URL(
      response.headers.get("Location") ?? "",
      this.#server.url,
    );
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
    const text = await response.text();
    const body = z.looseObject({}).safeParse(parseJson(text)).data;
    this.#reporter.received(response.status, body ?? {});
    expectStatus(response, status, body);
    if (body) return body;
    if (status === 204) return {};
    throw new Error("the response is not JSON");
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    this.#signal?.throwIfAborted();
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const signals = this.#signal ? [timeout, this.#signal] : [timeout];
    try {
      return await fetch(new URL(path, this.#server.url), {
        ...init,
        redirect: "manual",
        signal: AbortSignal.any(signals),
      });
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw connectionError(this.#server, error, REQUEST_TIMEOUT_MS);
    }
  }
}

/** Encodes a form. A field with several values, such as ticked boxes, is there once for each. */
function encoded(form: Record<string, string | string[]>): URLSearchParams {
  return new URLSearchParams(
    Object.entries(form).flatMap(([name, values]) =>
      [values].flat().map((value) => [name, value]),
    ),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws UnexpectedStatus if the response has another status */
function expectStatus(response: Response, status: number, body = {}): void {
  if (response.status !== status)
    throw new UnexpectedStatus(response.status, status, body);
}

/** A response with another status than the step needs. */
export class UnexpectedStatus extends Error {
  readonly status: number;

  constructor(status: number, expected: number, body: object) {
    const { error, error_description } = body as Record<string, unknown>;
    const said = [error, error_description].filter(
      (text) => typeof text === "string",
    );
    super(
      printable(
        [
          `the response has status ${status} instead of ${expected}`,
          ...said,
        ].join(": "),
      ),
    );
    this.status = status;
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
