import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Health } from "../commands/admin-client.ts";
import { isLoopback } from "../commands/connection.ts";
import type { Session } from "../commands/session.ts";
import { Failure, UsageError } from "../failure.ts";
import { devVarsPath } from "../local/wrangler.ts";
import { warn } from "../output.ts";
import { DevVarsSecrets } from "../secrets/dev-vars.ts";
import type { SecretStore } from "../secrets/secret-store.ts";
import { WranglerSecrets } from "../secrets/wrangler.ts";
import { quote } from "../shell.ts";
import { kindOf } from "./key-names.ts";
import type { ServerKey } from "./server-key.ts";

/** The options of every command that changes keys. */
export interface TargetOptions {
  /** True: the secrets are in `.dev.vars`. */
  local?: boolean;
  /** The `env.NAME` block of the settings. */
  wranglerEnv?: string;
  /** The longest time to wait for the server to notice a change, in seconds. */
  wait?: number;
}

/** `wrangler secret put` reaches every location within about a minute. */
const DEPLOYED_WAIT_SECONDS = 120;
/** `wrangler dev` takes a second or two to build. */
const LOCAL_WAIT_SECONDS = 60;
const INTERVAL_MS = 500;
/** `wrangler dev` may miss a change that comes while it starts a changed server. */
const ANNOUNCE_EVERY = 10;

/** A server with the store of its secrets. */
export interface KeyTarget {
  session: Session;
  url: string;
  isLocal: boolean;
  store: SecretStore;
  /** Writes a command of `baton keys` that is to be run next, at the same server with the same store. */
  commandLine: (command: string) => string;
  waitSeconds: number;
}

/**
 * Finds the server and the store of its secrets.
 *
 * @throws UsageError if one is on this machine and the other is not
 */
export async function openTarget(
  session: Session,
  { local = false, wranglerEnv, wait }: TargetOptions,
): Promise<KeyTarget> {
  const url = await session.serverUrl();
  const isHere = isLoopback(new URL(url).hostname);
  if (local && !isHere)
    throw new UsageError(
      `--local is for a server on this machine, and the server is ${url}. Leave --local out, or choose the server with --url http://localhost:8787.`,
    );
  if (local && wranglerEnv !== undefined)
    throw new UsageError(
      "--local and --wrangler-env do not go together: the secrets of a local server are in .dev.vars.",
    );
  if (!local && isHere)
    throw new UsageError(
      `${url} is a server on this machine. For its keys add --local. For a deployed server set the environment variables BATON_URL to its URL, such as https://auth.example.com, and BATON_ADMIN_TOKEN to its ADMIN_TOKEN.`,
    );
  return {
    session,
    url,
    isLocal: local,
    store: local
      ? new DevVarsSecrets(devVarsPath)
      : new WranglerSecrets({
          env: wranglerEnv ?? (await session.wranglerEnvironment()),
        }),
    commandLine: (command) =>
      session.commandLine(
        `keys ${command}${local ? " --local" : ""}${wranglerEnv === undefined ? "" : ` --wrangler-env ${quote(wranglerEnv)}`}`,
      ),
    waitSeconds: wait ?? (local ? LOCAL_WAIT_SECONDS : DEPLOYED_WAIT_SECONDS),
  };
}

/**
 * Asks the server for its keys.
 *
 * @throws Failure if it does not tell them, or if its configuration is malformed
 */
export async function readKeys(session: Session): Promise<ServerKey[]> {
  const health = await session.health();
  if (health.keys) {
    if (health.more_clients)
      warn(
        "the server has looked at its first 1,000 clients only. If another one has longer lifetimes, keys are needed longer than it says.",
      );
    return health.keys;
  }
  if (health.status === "failing")
    throw new Failure(
      [
        "Nothing was changed, because the server's configuration is malformed. Correct it first:",
        ...(await session.whyFailing(health)),
      ].join("\n"),
    );
  // Refuses a wrong admin token with a sentence.
  await session.request({
    method: "GET",
    path: ["scopes"],
    schema: z.unknown(),
  });
  throw new Failure(
    `${await session.serverUrl()} does not list its keys, so it is an older version of Baton. Deploy this version first.`,
  );
}

/**
 * Checks that the server and the store are of the same Worker, so that no command changes the secrets of another one.
 *
 * @throws Failure
 */
export function checkSameServer(
  { url, store, isLocal }: KeyTarget,
  keys: readonly ServerKey[],
  names: readonly string[],
): void {
  const missing = keys.find(({ secret }) => !names.includes(secret));
  if (!missing) return;
  throw new Failure(
    `Nothing was changed, because ${url} has the key ${missing.secret} and ${store.describe()} has not: they are probably not the same server. ${
      isLocal
        ? "Check --url, and whether the server was started in this directory. If the key was just removed, wait a moment and repeat the command."
        : "Check BATON_URL, --wrangler-env and the account that wrangler uses. If the key was just removed, wait a minute and repeat the command."
    }`,
  );
}

/** The secrets of the store that are keys and that the server does not list (yet). */
export function unlistedNames(
  keys: readonly ServerKey[],
  names: readonly string[],
): string[] {
  return names.filter(
    (name) =>
      kindOf(name) !== undefined && keys.every(({ secret }) => secret !== name),
  );
}

/** What the server said last while a command waited for it. */
export interface Waited {
  keys?: ServerKey[];
  /** The problems of a server that can't work. */
  problems?: NonNullable<Health["problems"]>;
  /** The reason why the server could not be asked. */
  failure?: Failure;
}

/**
 * Asks the server again and again, until its keys are as expected or the time is up. While `wrangler dev` starts a
 * changed server, it may be away for a moment.
 *
 * @returns the last answer; `isDone` holds for it unless the time was up
 */
export async function waitForKeys(
  { session, store, waitSeconds }: KeyTarget,
  isDone: (waited: Waited) => boolean,
): Promise<Waited> {
  const deadline = Date.now() + waitSeconds * 1000;
  for (let count = 1; ; count++) {
    const waited = await askOnce(session);
    if (isDone(waited) || Date.now() >= deadline) return waited;
    await sleep(INTERVAL_MS);
    if (count % ANNOUNCE_EVERY === 0) await store.announce?.();
  }
}

async function askOnce(session: Session): Promise<Waited> {
  try {
    const { keys, problems, status } = await session.health();
    return {
      ...(keys && { keys }),
      ...(status === "failing" && { problems: problems ?? [] }),
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { failure: error };
  }
}
