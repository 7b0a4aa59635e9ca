import { expect } from "vitest";

/** Acts as administrators, apps, users and thieves at a server, in the tests of docs/incidents.md. */

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

export interface Credentials {
  client_id: string;
  /** Left out: a public client. */
  client_secret?: string;
}

/** The answer of an endpoint for clients: tokens, an error, or what introspection says. */
export type Answer = Partial<Tokens> & {
  error?: string;
  active?: boolean;
};

/** A line of the log: of a request, or of an event. */
export type LogLine = Record<string, unknown> & { event: string };

/** The parameters by which a client authenticates, without what else is known of it. */
function credentialsOf({ client_id, client_secret }: Credentials) {
  return { client_id, ...(client_secret !== undefined && { client_secret }) };
}

/** Expects what comes a moment later, such as a line of the log. A busy machine may be slow. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { timeout: 60_000 });
}

export class Stage {
  readonly url: string;
  readonly #token: () => string;
  readonly #output: () => string;

  /**
   * @param token the admin token as it is now
   * @param output everything that the server has written
   */
  constructor(url: string, token: () => string, output: () => string) {
    this.url = url;
    this.#token = token;
    this.#output = output;
  }

  /** Calls the admin API. */
  admin(
    method: string,
    path: string,
    body?: object,
    token = this.#token(),
  ): Promise<Response> {
    return fetch(`${this.url}/admin${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body && { "Content-Type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  /** Calls the admin API. @throws Error if it refuses */
  async expectAdmin<T>(...request: Parameters<Stage["admin"]>): Promise<T> {
    const response = await this.admin(...request);
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** Makes a client with a secret, and the scope that it may have. */
  async makeClient(metadata: object = {}): Promise<Credentials> {
    await this.expectAdmin("PUT", "/scopes/read", { description: "Read" });
    return this.expectAdmin("POST", "/clients", { scope: "read", ...metadata });
  }

  /** Starts a login, as a back end does. */
  login(
    { client_id }: { client_id: string },
    subject: string,
    token?: string,
  ): Promise<Tokens> {
    const body = { client_id, subject };
    return this.expectAdmin("POST", "/grants", body, token);
  }

  async #ask(path: string, form: Record<string, string>): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: "POST",
      body: new URLSearchParams(form),
    });
    return (await response.json()) as Answer;
  }

  refresh(client: Credentials, refresh_token = ""): Promise<Answer> {
    const grant_type = "refresh_token";
    return this.token({ grant_type, refresh_token, ...credentialsOf(client) });
  }

  /** Sends a request to the token endpoint. */
  token(form: Record<string, string>): Promise<Answer> {
    return this.#ask("/access_token", form);
  }

  /** Tells whether introspection accepts a token. */
  async isActive(client: Credentials, token = ""): Promise<boolean> {
    const form = { token, ...credentialsOf(client) };
    return (await this.#ask("/introspect", form)).active === true;
  }

  /** The lines of the log so far. */
  get log(): LogLine[] {
    return this.#output()
      .split("\n")
      .filter((line) => line.startsWith('{"event":'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** The logins that administrators have started, as the log tells. */
  grantsOf(...actors: string[]): unknown[] {
    return this.log
      .filter(({ actor }) => actors.includes(String(actor)))
      .flatMap(({ grant_id }) => grant_id ?? []);
  }
}
