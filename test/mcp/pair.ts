import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { freshSecrets } from "../../src/cli/local/dev-vars.ts";
import type { AuthorizationDescription } from "../../src/rpc/types.ts";
import { Site } from "./site.ts";

/** Baton and the example MCP server in the local runtime, each at an address of its own, and a login that lets alice in. */

const root = join(import.meta.dirname, "../..");

export class Pair {
  /** Who is signed in at the login. */
  subject = "alice";
  /** What the login has shown to its users, newest last. */
  readonly shown: AuthorizationDescription[] = [];
  readonly #sites: { baton: Site; mcp: Site; login: Site };
  readonly #secrets = freshSecrets();
  readonly #harness;

  /** @param variables more variables of Baton @param ask with true, the MCP server asks Baton about each token */
  static async start({
    variables = {},
    ask = false,
  }: {
    variables?: Record<string, string>;
    ask?: boolean;
  } = {}): Promise<Pair> {
    const [baton, mcp, login] = await Promise.all([
      Site.open(),
      Site.open(),
      Site.open(),
    ]);
    const pair = new Pair({ baton, mcp, login }, variables, ask);
    await pair.#start();
    return pair;
  }

  private constructor(
    sites: { baton: Site; mcp: Site; login: Site },
    variables: Record<string, string>,
    ask: boolean,
  ) {
    this.#sites = sites;
    const ISSUER = sites.baton.url;
    this.#harness = createTestHarness({
      workers: [
        {
          configPath: join(root, "wrangler.toml"),
          vars: { ISSUER, LOGIN_URL: `${sites.login.url}/`, ...variables },
          secrets: { ...this.#secrets },
        },
        {
          configPath: join(import.meta.dirname, "example/wrangler.toml"),
          vars: { ISSUER, RESOURCE: this.mcp, ASK: ask ? "on" : "" },
        },
      ],
    });
  }

  /** The issuer. */
  get baton(): string {
    return this.#sites.baton.url;
  }

  /** The URL of the MCP server, which is its resource. */
  get mcp(): string {
    return `${this.#sites.mcp.url}/mcp`;
  }

  async #start(): Promise<void> {
    await this.#harness.listen();
    for (const [site, name] of [
      [this.#sites.baton, "baton"],
      [this.#sites.mcp, "notes-mcp"],
    ] as const)
      site.serve((...request) =>
        this.#harness.getWorker(name).fetch(...request),
      );
    this.#sites.login.answer((request, response) => {
      const { searchParams } = new URL(request.url ?? "/", "http://login");
      const sealed = searchParams.get("request") ?? "";
      void this.#decide(sealed).then(
        (location) => response.writeHead(302, { Location: location }).end(),
        (error) => response.writeHead(500).end(String(error)),
      );
    });
  }

  /** Shows a consent page, as it were, and allows all that was asked for. */
  async #decide(request: string): Promise<string> {
    const { subject } = this;
    const query = new URLSearchParams({ request, subject });
    const description = await this.admin<AuthorizationDescription>(
      "GET",
      `/authorizations?${query.toString()}`,
    );
    this.shown.push(description);
    const consent = description.needs_consent && { consent: true };
    const { redirect_to } = await this.admin<{ redirect_to: string }>(
      "POST",
      "/authorizations",
      { request, subject, ...consent },
    );
    return redirect_to;
  }

  /** Calls Baton's admin API and expects success. */
  async admin<T = unknown>(
    method: string,
    path: string,
    body?: object,
  ): Promise<T> {
    const response = await fetch(`${this.baton}/admin${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${this.#secrets.ADMIN_TOKEN}`,
        ...(body && { "Content-Type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** What the owner of the MCP server does once: its scopes, and that any agent may ask for it. */
  async openResource(): Promise<void> {
    for (const [scope, description] of [
      ["notes:read", "Read your notes"],
      ["notes:write", "Write notes for you"],
    ])
      await this.admin("PUT", `/scopes/${scope}`, { description });
    await this.admin("PUT", `/resources/${encodeURIComponent(this.mcp)}`, {
      name: "Notes",
      scope: "notes:read notes:write",
      self_registered_clients: true,
    });
  }

  async stop(): Promise<void> {
    await this.#harness.close();
    await Promise.all(Object.values(this.#sites).map((site) => site.close()));
  }
}

/** Goes where a browser goes, up to a URL of the client. @returns that URL, with the answer in its query */
export async function visit(url: URL, client: string): Promise<URL> {
  for (let next = url, hops = 0; hops < 10; hops++) {
    if (next.href.startsWith(client)) return next;
    const response = await fetch(next, { redirect: "manual" });
    const location = response.headers.get("Location");
    if (location === null)
      throw new Error(
        `${next.href}: ${response.status} ${await response.text()}`,
      );
    next = new URL(location, next);
  }
  throw new Error(`${url.href} leads nowhere.`);
}
