import { expect, vi } from "vitest";
import { authorize } from "./authorization.ts";
import { shown } from "./refusals.ts";
import type { TestServer } from "./server.ts";

/** The website of an agent that serves its metadata document. Every request of the server to the outside comes here. */

export const AGENT_REDIRECT_URI = "http://127.0.0.1:43117/callback";

/** The decision of a user who has seen which agent asks. */
export const AGREED = { subject: "alice", consent: true };

export class AgentSite {
  /** The requests that arrived. */
  readonly fetched: Request[] = [];
  readonly client_id: string;
  /** The document. */
  document: Record<string, unknown>;
  /** Answers a request. */
  answer: () => Promise<Response> | Response = () => this.serve();

  /** @param url the URL of the document. Left out: one that no other test has */
  constructor(
    url = `https://agent.example/clients/${crypto.randomUUID()}.json`,
  ) {
    this.client_id = url;
    this.document = {
      client_id: url,
      client_name: "Agent",
      client_uri: "https://agent.example/",
      redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      this.fetched.push(new Request(input, init));
      return this.answer();
    });
  }

  /** Serves a body as the document. */
  serve(
    body: unknown = this.document,
    headers: Record<string, string> = {},
    status = 200,
  ): Response {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return new Response(text, {
      status,
      headers: { "Content-Type": "application/json", ...headers },
    });
  }

  /** The site is down. */
  goDown(): void {
    this.answer = () => Promise.reject(new TypeError("connection refused"));
  }
}

/** Turns metadata documents on. */
export const DOCUMENTS_ON = { CLIENT_ID_METADATA_DOCUMENTS: "on" };

/** Sends a browser to /authorize. */
export function begin(
  server: TestServer,
  client: { client_id: string },
): Promise<Response> {
  const more = { redirect_uri: AGENT_REDIRECT_URI, scope: "read" };
  return authorize(client, more, server);
}

/**
 * Tells whether the client of an authorization request was found. The request itself is refused by a redirect to the
 * client, because this client may ask for no scope.
 */
export function isFound({ status }: Response): boolean {
  return status === 303;
}

/** Reads why the client of an authorization request was not found: the reason, and what the page says. */
export async function whyNot(
  response: Response,
): Promise<[reason: string | undefined, description: string]> {
  const text = await response.clone().text();
  const [, description = ""] =
    /<dt>Description<\/dt>\s*<dd>([^<]*)<\/dd>/.exec(text) ?? [];
  const [status, error, reason] = await shown(response);
  expect([status, error]).toEqual([400, "invalid_request"]);
  return [reason, description];
}
