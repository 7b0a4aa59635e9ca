import { Failure } from "../failure.ts";
import { problemLines } from "../commands/problem-lines.ts";
import { putNew } from "../secrets/secret-store.ts";
import { uninterrupted } from "../secrets/uninterrupted.ts";
import type { KeyKind } from "./key-names.ts";
import { type KeyTarget, waitForKeys } from "./key-target.ts";
import { freshKey, type KeyChoice } from "./key-value.ts";
import { notice } from "./notice.ts";
import type { ServerKey } from "./server-key.ts";
import { durationText } from "./times.ts";

/** A key to make. */
export interface NewKey {
  kind: KeyKind;
  secret: string;
  /** The second from which it makes tokens. */
  from: number;
  choice: KeyChoice;
}

/**
 * Makes a key, sets it as a new secret, and waits until the server lists it. A key that keeps the server from working is
 * removed again.
 *
 * @returns the keys that the server lists
 * @throws Failure
 */
export async function putKey(
  target: KeyTarget,
  { kind, secret, from, choice }: NewKey,
): Promise<ServerKey[]> {
  const { store, url, waitSeconds, session } = target;
  const value = freshKey(kind, choice, from);
  await uninterrupted(`${secret} was set`, () => putNew(store, secret, value));
  notice(`Set ${secret} in ${store.describe()}. Waiting for ${url} …`);
  const { keys, problems, failure } = await waitForKeys(
    target,
    ({ keys: listed = [], problems: found = [] }) =>
      listed.some((key) => key.secret === secret) ||
      found.some(({ name }) => name === secret),
  );
  if (problems?.some(({ name }) => name === secret)) {
    await store.delete(secret);
    throw new Failure(
      `${secret} was removed again, because the server cannot work with it:\n${problemLines(problems).join("\n")}\nThe other keys are as they were.`,
    );
  }
  if (keys?.some((key) => key.secret === secret)) return keys;
  throw new Failure(
    `${secret} was set, but ${url} ${failure ? "could not be asked" : "did not list it"} within ${durationText(waitSeconds)}. Nothing is lost: look with \`${session.commandLine("keys show")}\`. If the key does not appear there, the server is not the one that has this secret: check its URL and --wrangler-env.${failure ? `\n${failure.message}` : ""}`,
  );
}

/**
 * Removes a secret with keys, and waits until the server does not list it any more. A secret that is already removed is
 * waited for as well, so that the command can be run again.
 *
 * @returns the keys that the server lists
 * @throws Failure
 */
export async function removeKey(
  target: KeyTarget,
  secret: string,
): Promise<ServerKey[]> {
  const { store, url, waitSeconds, session } = target;
  if ((await store.names()).includes(secret)) {
    await uninterrupted(`${secret} was removed`, () => store.delete(secret));
    notice(`Removed ${secret} from ${store.describe()}. Waiting for ${url} …`);
  }
  const { keys, failure } = await waitForKeys(
    target,
    ({ keys: listed }) =>
      listed !== undefined && listed.every((key) => key.secret !== secret),
  );
  if (keys?.every((key) => key.secret !== secret)) return keys;
  throw new Failure(
    `${secret} was removed, but ${url} ${failure ? "could not be asked" : "still lists it"} after ${durationText(waitSeconds)}. Run the command again, or look with \`${session.commandLine("keys show")}\`.${failure ? `\n${failure.message}` : ""}`,
  );
}
