import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { decodeProtectedHeader } from "jose";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ServerKey } from "../../../src/cli/keys/server-key.ts";
import { freePort } from "../../../src/cli/local/wrangler.ts";
import { type Args, run, start, temporaryProject } from "../support.ts";

/** The logins that refresh all the time while the keys are rotated. */
const LOGINS = 4;

interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** A server of `npm run dev` in a project of its own, and the commands for it. */
async function localServer() {
  const directory = temporaryProject();
  const env = {
    TMPDIR: join(directory, "tmp"),
    WRANGLER_REGISTRY_PATH: join(directory, "registry"),
  };
  const port = await freePort();
  const dev = start("dev", ["--port", String(port)], { directory, env });
  onTestFinished(async () => {
    dev.child.kill("SIGTERM");
    await dev.outcome();
  });
  await dev.waitForOutput("--subject alice\n");
  const url = `http://localhost:${port}`;
  const baton = async (...args: Args) => {
    const all = ["--url", url, "--json", ...args.flat()];
    const { code, stdout, stderr } = await run("baton", all, { directory });
    if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const secrets = () =>
    parseEnv(readFileSync(join(directory, ".dev.vars"), "utf8"));
  return { url, baton, secrets };
}

/** The ids of the keys that have made the tokens. */
function makersOf({ access_token, refresh_token }: Tokens) {
  return {
    private: decodeProtectedHeader(access_token).kid,
    // A version of one byte and the key's id of four bytes, in base64url.
    encryption: refresh_token.slice("baton_rt_".length).slice(0, 6),
  };
}

/** Refreshes a login again and again until it is told to stop. Every refresh must succeed. */
class Load {
  tokens: Tokens;
  count = 0;
  readonly #url: string;
  readonly #credentials: Record<string, string>;
  readonly #refreshed = new EventEmitter();
  #isStopped = false;
  readonly #ended: Promise<void>;

  constructor(url: string, credentials: Record<string, string>, first: Tokens) {
    this.#url = url;
    this.#credentials = credentials;
    this.tokens = first;
    this.#ended = this.#run();
    // The failure is reported by `stop`.
    this.#ended.catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const response = await fetch(`${this.#url}/access_token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "refresh_token",
          refresh_token: this.tokens.refresh_token,
          ...this.#credentials,
        }),
      });
      if (response.status !== 200)
        throw new Error(
          `refresh ${this.count + 1}: ${response.status} ${await response.text()}`,
        );
      this.tokens = (await response.json()) as Tokens;
      this.count += 1;
      this.#refreshed.emit("refreshed");
    }
  }

  /** Resolves after two more refreshes, so that the last one began after the call. */
  async twoMore(): Promise<void> {
    for (let more = 0; more < 2; more++)
      await Promise.race([once(this.#refreshed, "refreshed"), this.#failure()]);
  }

  /** Rejects if a refresh has failed. */
  #failure(): Promise<never> {
    return this.#ended.then(() => new Promise<never>(() => undefined));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }
}

describe("the drill: both keys are rotated by command while logins refresh", () => {
  test("no refresh is refused, from the first put to the removal of the old keys", async () => {
    const { url, baton, secrets } = await localServer();
    await baton("scopes", "put", "read", "Read");
    const client = await baton(
      "clients create --id web --scope read".split(" "),
    );
    const credentials = {
      client_id: client.client_id,
      client_secret: client.client_secret,
    };
    const first: Tokens[] = [];
    for (let index = 0; index < LOGINS; index++)
      first.push(
        await baton(
          "grants create --client web --subject".split(" "),
          `user-${index}`,
        ),
      );
    const old = makersOf(first[0]!);
    const before = secrets();

    const loads = first.map((tokens) => new Load(url, credentials, tokens));
    const allGoOn = () => Promise.all(loads.map((load) => load.twoMore()));
    await allGoOn();

    const rotated = await baton(
      "keys rotate --local --label NEXT --after PT5S --yes".split(" "),
    );
    expect(rotated.rotated).toMatchObject([
      { kind: "encryption", secret: "ENCRYPTION_KEY_NEXT" },
      { kind: "private", secret: "PRIVATE_KEY_NEXT" },
    ]);
    await allGoOn();

    // The new keys take over by themselves.
    const making = async () => {
      const { keys }: { keys: ServerKey[] } = await baton("keys", "show");
      return keys.filter(({ state }) => state === "making");
    };
    await expect
      .poll(async () => (await making()).map(({ secret }) => secret), {
        timeout: 60_000,
      })
      .toEqual(["ENCRYPTION_KEY_NEXT", "PRIVATE_KEY_NEXT"]);
    await allGoOn();
    const next = loads.map(({ tokens }) => makersOf(tokens));
    const [, { kid }] = (await making()) as [ServerKey, ServerKey];
    expect(new Set(next.map((makers) => makers.private))).toEqual(
      new Set([kid]),
    );
    for (const makers of next) {
      expect(makers.private).not.toBe(old.private);
      expect(makers.encryption).not.toBe(old.encryption);
    }

    // Each login has a token of the new keys, so the old ones are not needed, a month before the server can know it.
    for (const secret of ["PRIVATE_KEY", "ENCRYPTION_KEY"]) {
      await baton(["keys", "retire", secret], "--local", "--force", "--yes");
      await allGoOn();
    }
    for (const load of loads) await load.stop();

    const { PRIVATE_KEY: _1, ENCRYPTION_KEY: _2, ...kept } = before;
    expect(secrets()).toEqual({
      ...kept,
      ENCRYPTION_KEY_NEXT: expect.stringMatching(/^from=/),
      PRIVATE_KEY_NEXT: expect.stringMatching(/^from=/),
    });
    const jwks = await fetch(`${url}/.well-known/jwks.json`);
    expect(await jwks.json()).toMatchObject({ keys: [{ kid }] });
    const refreshes = loads.reduce((sum, { count }) => sum + count, 0);
    console.log(`${refreshes} refreshes, none refused`);
    expect(refreshes).toBeGreaterThan(LOGINS * 8);
  });
});
