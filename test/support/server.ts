import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import worker from "../../src/index.ts";
import { reasonOf } from "./request-lines.ts";

/** The server under test. Everything here uses its public interface, HTTP. */

export const ISSUER = "https://auth.example.com";

export interface TestClient {
  client_id: string;
  client_secret: string;
}

/** A successful response of the token endpoint. */
export interface Tokens {
  token_type: string;
  expires_in: number;
  access_token: string;
  refresh_token: string;
  scope?: string;
}

export interface ErrorBody {
  error: string;
  error_description: string;
  fields?: Record<string, string>;
}

type Form = Record<string, string> | string[][];

export class TestServer {
  /** A request to any URL. */
  readonly fetch: (request: Request) => Promise<Response>;

  constructor(fetch: (request: Request) => Promise<Response>) {
    this.fetch = fetch;
  }

  http(path: string, init?: RequestInit): Promise<Response> {
    return this.fetch(new Request(ISSUER + path, init));
  }

  /** `/health` as an administrator sees it, with the version and the keys. */
  wholeHealth(adminToken: string = env.ADMIN_TOKEN): Promise<Response> {
    const headers = { Authorization: `Bearer ${adminToken}` };
    return this.http("/health", { headers });
  }

  /** What is wrong, as an administrator sees it in `/health`: without the version and the keys. */
  async health(adminToken: string = env.ADMIN_TOKEN): Promise<Response> {
    const response = await this.wholeHealth(adminToken);
    const {
      version: _version,
      keys: _keys,
      ...rest
    } = await response.json<Record<string, unknown>>();
    return Response.json(rest, response);
  }

  /** Calls the admin API with a JSON body. */
  admin(method: string, path: string, body?: unknown): Promise<Response> {
    return this.http(`/admin${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${env.ADMIN_TOKEN}`,
        ...(body !== undefined && { "Content-Type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** Calls the admin API and expects success. */
  async expectAdmin<T>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<T> {
    const response = await this.admin(method, path, body);
    if (!response.ok) throw new Error(await response.text());
    return response.status === 204 ? (undefined as T) : response.json<T>();
  }

  async makeScopes(...scopes: string[]): Promise<void> {
    for (const scope of scopes) {
      const path = `/scopes/${encodeURIComponent(scope)}`;
      await this.expectAdmin("PUT", path, { description: `May ${scope}` });
    }
  }

  /** Makes a client with a new id that may refresh. */
  makeClient(metadata: Record<string, unknown> = {}): Promise<TestClient> {
    return this.expectAdmin("POST", "/clients", metadata);
  }

  /** Makes a family. @returns its first tokens */
  login(
    { client_id }: { client_id: string },
    grant: Record<string, unknown> = {},
  ): Promise<Tokens> {
    const body = { client_id, subject: "alice", ...grant };
    return this.expectAdmin("POST", "/grants", body);
  }

  /** Sends a request to the token endpoint. */
  token(
    form: Form,
    headers: Record<string, string> = {},
    query = "",
  ): Promise<Response> {
    return this.http(`/access_token${query}`, {
      method: "POST",
      headers,
      body: new URLSearchParams(form),
    });
  }

  /** Sends a client's request about a token: `/revoke`, `/introspect`. */
  about(
    path: "/revoke" | "/introspect",
    { client_id, client_secret }: { client_id: string; client_secret?: string },
    token: string,
    more: Record<string, string> = {},
  ): Promise<Response> {
    const secret = client_secret === undefined ? {} : { client_secret };
    const form = { client_id, ...secret, token, ...more };
    return this.http(path, { method: "POST", body: new URLSearchParams(form) });
  }

  /** Sends a refresh as most libraries do. `more` adds parameters. */
  refresh(
    client: { client_id: string; client_secret?: string },
    refresh_token: string,
    more: Record<string, string> | string[][] = [],
  ): Promise<Response> {
    return this.token([
      ["grant_type", "refresh_token"],
      ["refresh_token", refresh_token],
      ["client_id", client.client_id],
      ...(client.client_secret === undefined
        ? []
        : [["client_secret", client.client_secret]]),
      ...(Array.isArray(more) ? more : Object.entries(more)),
    ]);
  }

  /** Sends a refresh and expects success. */
  async expectRefresh(
    client: { client_id: string; client_secret?: string },
    refresh_token: string,
    more: Record<string, string> | string[][] = [],
  ): Promise<Tokens> {
    const response = await this.refresh(client, refresh_token, more);
    if (response.status !== 200) throw new Error(await response.text());
    return response.json<Tokens>();
  }
}

/** The server as vitest.config.ts configures it. */
export const server = new TestServer((request) =>
  exports.default.fetch(request),
);

/** Makes the same server with some of its bindings replaced. */
export function serverWith(overrides: Record<string, unknown>): TestServer {
  const bindings = { ...env, ...overrides };
  return new TestServer(async (request) =>
    worker.fetch(request, bindings, createExecutionContext()),
  );
}

export function basic(id: string, secret: string): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replaceAll("%20", "+");
  return `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}`;
}

/** Reads status, error code and precise reason of a refusal, to compare them in one step. */
export async function refusal(
  response: Response,
): Promise<[status: number, error: string, reason: string | undefined]> {
  const body = await response.json<ErrorBody>();
  return [response.status, body.error, reasonOf(response)];
}

/** Counts each kind of refusal among responses in any order. */
export async function countRefusals(
  responses: Response[],
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const response of responses) {
    const name = (await refusal(response)).join(" ");
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
