import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { inject } from "vitest";
import { freshSecrets, type Secrets } from "../../src/cli/local/dev-vars.ts";
import { freePort, localUrl } from "../../src/cli/local/wrangler.ts";
import { CODE, OPTIONS, type PrebuiltOptions } from "./prebuilt-worker.ts";

/**
 * A local server for tests that are not about its start: the Worker, the configuration and the runtime of `wrangler dev`,
 * without wrangler's process and its build. It keeps what it stores in memory.
 */

/** What is different from the server that `npm run dev` starts. */
export interface Differences {
  /** Left out: fresh ones. */
  secrets?: Partial<Secrets> & NodeJS.Dict<string>;
  /** Variables of wrangler.toml. */
  variables?: Record<string, string>;
  /** Bindings that wrangler.toml leaves out. */
  unbound?: string[];
}

// Wrangler brings Miniflare: another copy would be another runtime.
const ofWrangler = createRequire(
  createRequire(import.meta.url).resolve("wrangler/package.json"),
);

/** The name of the Worker in Miniflare. */
const NAME = "baton";

export class PrebuiltServer {
  readonly url: string;
  readonly secrets: Secrets;
  /** What the server has logged so far. */
  output = "";
  readonly #miniflare: Miniflare;

  /** Starts a server. It can answer requests, and has no fault if the differences are none. */
  static async start(differences: Differences = {}): Promise<PrebuiltServer> {
    const server = new PrebuiltServer(await freePort(), differences);
    await server.#miniflare.ready;
    return server;
  }

  private constructor(
    port: number,
    { secrets = {}, variables = {}, unbound = [] }: Differences,
  ) {
    this.url = localUrl(port);
    this.secrets = { ...freshSecrets(), ...secrets };
    const folder = inject("prebuiltWorker");
    const text = readFileSync(join(folder, OPTIONS), "utf8");
    const options = JSON.parse(text) as PrebuiltOptions;
    for (const bindings of [
      options.kvNamespaces,
      options.durableObjects,
      options.ratelimits,
    ])
      for (const name of unbound)
        delete (bindings as Record<string, unknown>)[name];
    const { Miniflare, convertV4MiniflareOptions } = ofWrangler(
      "miniflare",
    ) as typeof import("miniflare");
    this.#miniflare = new Miniflare(
      convertV4MiniflareOptions({
        host: "localhost",
        port,
        // Otherwise Miniflare would ask the internet where this machine is.
        cf: false,
        handleStructuredLogs: ({ message }) => {
          this.output += `${message}\n`;
        },
        workers: [
          {
            ...options,
            name: NAME,
            modules: [
              {
                type: "ESModule",
                path: CODE,
                contents: readFileSync(join(folder, CODE), "utf8"),
              },
            ],
            bindings: {
              ...(options.bindings as Record<string, string>),
              ISSUER: this.url,
              LOGIN_URL: `${this.url}/dev/login`,
              LOGOUT_URL: `${this.url}/dev/logout`,
              ...variables,
              ...this.secrets,
            },
          },
        ],
      }),
    );
  }

  /** Writes records into KV by hand. */
  async put(records: Record<string, string>): Promise<void> {
    const kv = await this.#miniflare.getKVNamespace("KV", NAME);
    for (const [key, value] of Object.entries(records))
      await kv.put(key, value);
  }

  stop(): Promise<void> {
    return this.#miniflare.dispose();
  }
}
