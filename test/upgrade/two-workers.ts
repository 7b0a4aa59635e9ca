import { mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import type { KvEntry, StoredObject } from "./records.ts";
import { testSecrets } from "./test-keys.ts";

/** A Worker of one version in front of Durable Objects of another, in the local runtime, with storage of their own. */

export const ISSUER = "https://auth.example.com";
export const LOGIN_URL = "https://login.example.com/sign-in";
const LOGOUT_URL = "https://login.example.com/sign-out";

// Wrangler brings Miniflare: another copy would be another runtime.
const ofWrangler = createRequire(
  createRequire(import.meta.url).resolve("wrangler/package.json"),
);
const miniflare = ofWrangler("miniflare") as typeof import("miniflare");

const classes = {
  TOKEN_FAMILY: "TokenFamily",
  SUBJECT_INDEX: "SubjectIndex",
  KV_RECORD_WRITER: "KvRecordWriter",
  LEAGUE_LEDGER: "LeagueLedger",
  REGISTRATION_COUNTER: "RegistrationCounter",
  ASSERTION_LEDGER: "AssertionLedger",
} as const;
type Binding = keyof typeof classes;
const bindings = Object.keys(classes) as Binding[];

/** Long lives, so that kept tokens are good for longer than anybody keeps them. */
const LIFE = "P50Y";

function limitOf(namespace_id: string, limit: number) {
  return { namespace_id, simple: { limit, period: 60 as const } };
}

const settings = {
  compatibilityDate: "2026-10-30",
  compatibilityFlags: ["global_fetch_strictly_public"],
  kvNamespaces: { KV: "kv" },
  ratelimits: {
    GUESSES_PER_NETWORK: limitOf("4711", 120),
    GUESSES_PER_SITE: limitOf("4712", 960),
    REGISTRATIONS_PER_NETWORK: limitOf("4713", 30),
  },
  bindings: {
    ...testSecrets,
    ISSUER,
    LOGIN_URL,
    LOGOUT_URL,
    ACCESS_TOKEN_TTL: LIFE,
    REFRESH_TOKEN_TTL: LIFE,
    REFRESH_TOKEN_MAX_AGE: LIFE,
    REGISTRATION_IDLE_TTL: LIFE,
    REFRESH_TOKEN_RETRY_WINDOW: "PT0S",
  },
};

const door = readFileSync(join(import.meta.dirname, "door.js"), "utf8");
const frontMain = `import "./clock.js";
export * from "./worker.js";
export { default } from "./worker.js";
`;

/** A module that shifts the clock of JavaScript by milliseconds. The runtime's own clock stays. */
function clock(shift: number): string {
  return `export const realNow = Date.now.bind(Date);
globalThis.Date = class extends Date {
  static now() { return realNow() + ${shift}; }
  constructor(...parts) { super(...(parts.length > 0 ? parts : [realNow() + ${shift}])); }
};
`;
}

/** The code of the two Workers. */
export interface Pair {
  front: string;
  objects: string;
  /** The code of a Worker that the front asks at each refresh. Left out: there is none. */
  hook?: string;
  /** Variables beside the ones that all tests have. A Worker of an older version does not know the newer ones. */
  variables?: Record<string, string>;
}

export class TwoWorkers {
  readonly #folder = mkdtempSync(join(tmpdir(), "baton-upgrade-"));
  /** Answers what the Workers send to the internet. Nothing is reached there. */
  internet: (request: Request) => Promise<Response> | Response = () =>
    new Response(null, { status: 503 });
  #running: Miniflare | undefined;
  /** The shift of the Workers' clock, in milliseconds. */
  #shift = 0;

  /**
   * Starts the two Workers, or others in their place with what they have stored.
   *
   * @param shift of their clock, in milliseconds
   */
  async start(
    { front, objects, hook, variables }: Pair,
    shift = 0,
  ): Promise<void> {
    await this.#running?.dispose();
    this.#shift = shift;
    const common = {
      ...settings,
      bindings: { ...settings.bindings, ...variables },
      outboundService: async (request: Request) => {
        const { status, headers, body } = await this.internet(request);
        return new miniflare.Response(body as never, {
          status,
          headers: [...headers],
        });
      },
    };
    const modulesOf = (main: string, worker: string) => [
      { type: "ESModule" as const, path: "main.js", contents: main },
      { type: "ESModule" as const, path: "worker.js", contents: worker },
      { type: "ESModule" as const, path: "clock.js", contents: clock(shift) },
    ];
    const objectsAre = (script: object) =>
      Object.fromEntries(
        Object.entries(classes).map(([binding, className]) => [
          binding,
          { className, useSQLite: true, ...script },
        ]),
      );
    this.#running = new miniflare.Miniflare(
      miniflare.convertV4MiniflareOptions({
        resourcePersistencePath: this.#folder,
        // The answers say what went wrong.
        handleStructuredLogs: () => {},
        workers: [
          {
            name: "front",
            ...common,
            modules: modulesOf(frontMain, front),
            durableObjects: objectsAre({ scriptName: "objects" }),
            ...(hook !== undefined && {
              serviceBindings: { REFRESH_HOOK: "hook" },
            }),
          },
          {
            name: "objects",
            ...common,
            modules: modulesOf(door, objects),
            durableObjects: objectsAre({}),
          },
          ...(hook === undefined
            ? []
            : [
                {
                  name: "hook",
                  compatibilityDate: settings.compatibilityDate,
                  modules: [
                    { type: "ESModule" as const, path: "h.js", contents: hook },
                  ],
                },
              ]),
        ],
      }),
    );
    await this.#running.ready;
  }

  async stop(): Promise<void> {
    await this.#running?.dispose();
    await rm(this.#folder, { recursive: true });
  }

  /** Returns the time of the Workers, in milliseconds since 1970. */
  now(): number {
    return Date.now() + this.#shift;
  }

  /** Sends a request to the front. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const options = { redirect: "manual", ...init } as object;
    return (await this.#miniflare.dispatchFetch(
      ISSUER + path,
      options,
    )) as unknown as Response;
  }

  /** Reads everything that is stored. */
  async dump() {
    const kv: Record<string, KvEntry> = {};
    const namespace = await this.#miniflare.getKVNamespace("KV", "front");
    const { keys } = await namespace.list();
    for (const { name, expiration } of keys) {
      const { value, metadata } = await namespace.getWithMetadata(name, "json");
      kv[name] = { value, metadata, ...(expiration && { expiration }) };
    }
    const objects: Record<string, Record<string, StoredObject>> = {};
    for (const binding of bindings) {
      const stored: Record<string, StoredObject> = {};
      const ids = await this.#miniflare.listDurableObjectIds(
        binding,
        "objects",
      );
      for (const id of ids.toSorted()) {
        const object = (await (
          await this.#door(binding, id)
        ).json()) as StoredObject;
        // An object that was only asked has a file, too.
        if (Object.keys(object.kv).length + object.tables.length > 0)
          stored[id] = object;
      }
      objects[classes[binding]] = stored;
    }
    return { kv, objects };
  }

  /** Stores what `dump` has read. */
  async load(stored: Awaited<ReturnType<TwoWorkers["dump"]>>): Promise<void> {
    const namespace = await this.#miniflare.getKVNamespace("KV", "front");
    for (const [name, { value, metadata }] of Object.entries(stored.kv))
      await namespace.put(name, JSON.stringify(value), { metadata });
    for (const binding of bindings)
      for (const [id, object] of Object.entries(
        stored.objects[classes[binding]] ?? {},
      ))
        await this.#door(binding, id, object);
  }

  /** Lets the alarm of a family go off. */
  async alarmOf(familyId: string): Promise<void> {
    await this.#door("TOKEN_FAMILY", familyId, "alarm");
  }

  async #door(binding: Binding, id: string, object?: StoredObject | "alarm") {
    const worker = await this.#miniflare.getWorker("objects");
    const init =
      object === undefined
        ? { method: "GET" }
        : object === "alarm"
          ? { method: "POST" }
          : { method: "PUT", body: JSON.stringify(object) };
    const response = await worker.fetch(
      `http://objects/${binding}/${id}`,
      init,
    );
    if (!response.ok) throw new Error(await response.text());
    return response;
  }

  get #miniflare(): Miniflare {
    if (!this.#running) throw new Error("The Workers are not started.");
    return this.#running;
  }
}
