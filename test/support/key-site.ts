import { vi } from "vitest";

/** The website of a client that serves its keys (`jwks_uri`). Every request of the server to the outside comes here. */
export class KeySite {
  /** The requests that arrived. */
  readonly fetched: Request[] = [];
  readonly jwks_uri: string;
  keys: unknown[];
  /** Answers a request. */
  answer: () => Promise<Response> | Response = () => this.serve();

  /** @param url left out: one that no other test has */
  constructor(
    keys: unknown[] = [],
    url = `https://keys.example/${crypto.randomUUID()}.json`,
  ) {
    this.jwks_uri = url;
    this.keys = keys;
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      this.fetched.push(new Request(input, init));
      return this.answer();
    });
  }

  /** Serves a body as the keys. */
  serve(
    body: unknown = { keys: this.keys },
    headers: Record<string, string> = {},
    status = 200,
  ): Response {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return new Response(text, {
      status,
      headers: { "Content-Type": "application/jwk-set+json", ...headers },
    });
  }

  /** The site is down. */
  goDown(): void {
    this.answer = () => Promise.reject(new TypeError("connection refused"));
  }
}
