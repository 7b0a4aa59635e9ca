import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kindOf } from "../../../src/cli/keys/key-names.ts";
import type { ServerKey } from "../../../src/cli/keys/server-key.ts";
import { vi } from "vitest";
import {
  type Args,
  type Outcome,
  run,
  start,
  stubServer,
  temporaryDirectory,
} from "../support.ts";

export const DAY = 86_400;
/** What the stand-in's tokens live, in seconds. */
export const LIVES = { encryption: 30 * DAY, private: 3600 };

export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** The value of a secret with a key that starts some seconds from now. Undefined: it has no start. */
export function value(
  kind: "encryption" | "private",
  startsIn?: number,
  alg = "ES256",
): string {
  const key =
    kind === "encryption"
      ? randomBytes(32).toString("base64")
      : JSON.stringify({
          ...generateKeyPairSync("ec", {
            namedCurve: "P-256",
          }).privateKey.export({ format: "jwk" }),
          alg,
        });
  if (startsIn === undefined) return key;
  const from = new Date((now() + startsIn) * 1000).toISOString();
  return `from=${from.replace(/\.\d+/, "")};${key}`;
}

/** The secrets of a server whose keys were never rotated. */
export function firstSecrets(): Record<string, string> {
  return {
    ENCRYPTION_KEY: value("encryption"),
    PRIVATE_KEY: value("private"),
    ADMIN_TOKEN: "an-admin-token-of-the-tests",
  };
}

/** A key in a secret, before it is known what the others are. */
interface Parsed {
  secret: string;
  kind: "encryption" | "private";
  kid: string;
  alg?: string;
  from?: number;
}

function parseSecret([secret, text]: [string, string]): Parsed[] {
  const kind = kindOf(secret);
  if (!kind) return [];
  const [, from, key = ""] = /^(?:from=([^;]*);)?(.*)$/s.exec(text) ?? [];
  return [
    {
      secret,
      kind,
      kid: createHash("sha256").update(key).digest("base64url"),
      ...(kind === "private" && { alg: JSON.parse(key).alg }),
      ...(from !== undefined && { from: Date.parse(from) / 1000 }),
    },
  ];
}

/** What `/health` says of these secrets. */
export function healthKeys(secrets: Record<string, string>): ServerKey[] {
  const parsed = Object.entries(secrets).flatMap(parseSecret);
  return parsed.map((key) => {
    const started = parsed
      .filter(({ kind, from = 0 }) => kind === key.kind && from <= now())
      .toSorted((a, b) => (a.from ?? 0) - (b.from ?? 0));
    const successor = started[started.indexOf(key) + 1];
    if (!started.includes(key)) return { ...key, state: "pending" as const };
    if (!successor)
      return {
        ...key,
        state: "making" as const,
        longest_life: LIVES[key.kind],
      };
    const until = (successor.from ?? 0) + LIVES[key.kind];
    return { ...key, state: "accepted" as const, needed_until: until };
  });
}

/** A deployed server whose secrets are kept by a stand-in for wrangler. */
export interface Deployed {
  url: string;
  secrets(): Record<string, string>;
  /** The runs of wrangler that change something. */
  changes(): string[];
  /** Everything that wrangler was started with. */
  commandLines(): string;
  /** What the server answers at /health, in place of what follows from the secrets. */
  answer(
    health: ((secrets: Record<string, string>) => object) | undefined,
  ): void;
  /** While it is held, a put of wrangler does not end. */
  hold(isHeld: boolean): void;
  /** Resolves when wrangler has been started with this command line. */
  wranglerStarted(commandLine: string): Promise<void>;
  keys(...args: Args): Promise<Outcome>;
  /** Starts the command in a process group of its own. */
  start(...args: Args): ReturnType<typeof start>;
  /** Environment variables for the next runs. */
  env: NodeJS.Dict<string>;
}

export async function deployed(
  secrets: Record<string, string> = firstSecrets(),
): Promise<Deployed> {
  const file = join(temporaryDirectory(), "secrets.json");
  writeFileSync(file, JSON.stringify(secrets));
  const read = () =>
    JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
  let answer: ((secrets: Record<string, string>) => object) | undefined;
  const { port } = await stubServer((request, response) => {
    const isHealth = request.url === "/health";
    const isAdmin =
      request.headers.authorization === `Bearer ${read()["ADMIN_TOKEN"]}`;
    if (!isHealth && !isAdmin) response.statusCode = 401;
    const body = isHealth
      ? (answer?.(read()) ?? {
          status: "ok",
          ...(isAdmin && { keys: healthKeys(read()) }),
        })
      : isAdmin
        ? { scopes: [] }
        : { error: "invalid_token" };
    response.end(JSON.stringify(body));
  });
  // This address leads to this machine and is not one of the names that stand for it.
  const url = `http://0.0.0.0:${port}`;
  const result: Deployed = {
    url,
    env: {
      BATON_URL: url,
      BATON_ADMIN_TOKEN: secrets["ADMIN_TOKEN"],
      BATON_WRANGLER: join(import.meta.dirname, "../secrets/fake-wrangler.ts"),
      FAKE_WRANGLER_FILE: file,
    },
    secrets: read,
    commandLines: () =>
      existsSync(`${file}.runs`) ? readFileSync(`${file}.runs`, "utf8") : "",
    changes: () =>
      result
        .commandLines()
        .split("\n")
        .filter((line) => /^secret (?:put|delete)/.test(line)),
    answer: (health) => {
      answer = health;
    },
    hold: (isHeld) => {
      if (isHeld) writeFileSync(`${file}.hold`, "");
      else rmSync(`${file}.hold`);
    },
    wranglerStarted: (commandLine) =>
      vi.waitFor(
        () => {
          if (!result.changes().includes(commandLine))
            throw new Error("not yet");
        },
        { timeout: 60_000 },
      ),
    keys: (...args) =>
      run("baton", ["--insecure", "keys", ...args.flat()], { env: result.env }),
    start: (...args) =>
      start("baton", ["--insecure", "keys", ...args.flat()], {
        env: result.env,
        group: true,
      }),
  };
  return result;
}
