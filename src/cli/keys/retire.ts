import type { Command } from "commander";
import type { Session } from "../commands/session.ts";
import { confirm, yesOption } from "../confirm.ts";
import { Failure, UsageError } from "../failure.ts";
import { printable } from "../output.ts";
import { examples } from "../program.ts";
import { removeKey } from "./change-keys.ts";
import { keyKinds, type KeyKind, kindOf, labelledName } from "./key-names.ts";
import { isDue, keysOf, keyTable, kindText, neededUntil } from "./key-table.ts";
import {
  checkSameServer,
  type KeyTarget,
  openTarget,
  readKeys,
  type TargetOptions,
} from "./key-target.ts";
import { notice } from "./notice.ts";
import { targetOptions } from "./options.ts";
import type { ServerKey } from "./server-key.ts";
import { secondsText } from "./times.ts";

/** A pending key whose start is nearer than this may have made tokens before its removal has reached every location. */
const START_MARGIN_SECONDS = 120;

interface RetireOptions extends TargetOptions {
  force?: boolean;
  yes?: boolean;
}

/** `baton keys retire`: removes a key that is not needed any more. */
export function retireCommand(keys: Command, session: Session): void {
  targetOptions(
    keys
      .command("retire <name>")
      .description(
        "remove a key, by the name of its secret or by its label, once nothing that it has made is in use",
      ),
  )
    .option("--force", "also while tokens of the key may be in use")
    .option(...yesOption)
    .addHelpText(
      "after",
      examples(
        "keys retire ENCRYPTION_KEY",
        "keys retire PRIVATE_KEY_2026_11_26",
      ),
    )
    .action((name: string, options: RetireOptions) =>
      retire(session, name, options),
    );
}

async function retire(
  session: Session,
  name: string,
  options: RetireOptions,
): Promise<void> {
  const target = await openTarget(session, options);
  const keys = await readKeys(session);
  const names = await target.store.names();
  const known = [...names, ...keys.map((key) => key.secret)];
  const secret = secretNamed(session, name, known);
  checkSameServer(
    target,
    keys.filter((key) => key.secret !== secret),
    names,
  );
  const own = keysOf(keys, secret);
  if (own.length === 0 && !names.includes(secret)) {
    session.print({ retired: secret, keys }, () =>
      [
        `There is no key ${secret}. It is retired already.`,
        "",
        keyTable(keys),
      ].join("\n"),
    );
    return;
  }
  if (own.length === 0)
    throw new Failure(
      `Nothing was changed, because ${secret} is set in ${target.store.describe()} and the server does not list it, so it is unknown what the key does. If it was just set, wait a minute and run the command again. To remove it all the same: ${target.store.deleteCommand(secret)}`,
    );
  // A secret that is gone from the store is only waited for.
  if (names.includes(secret)) {
    refuseLiving(target, secret, own, keys, options.force === true);
    notice(consequence(target, secret, own));
    await confirm(
      `${secret} is removed for good. Its value cannot be read back.`,
      options,
    );
  }
  const after = await removeKey(target, secret);
  session.print({ retired: secret, keys: after }, () =>
    [`Retired ${secret}.`, "", keyTable(after)].join("\n"),
  );
}

/** Finds the secret that is meant by its name or by its label. @throws UsageError */
export function secretNamed(
  session: Session,
  name: string,
  known: readonly string[],
): string {
  if (kindOf(name) !== undefined) return name;
  if (!/^[A-Z0-9][A-Z0-9_]{0,31}$/.test(name))
    throw new UsageError(
      `"${printable(name)}" is neither the name of a secret with a key, such as ENCRYPTION_KEY_2026_11_26, nor a label, such as 2026_11_26.`,
    );
  const labelled = keyKinds
    .map((kind) => labelledName(kind, name))
    .filter((secret) => known.includes(secret));
  const [only] = labelled;
  if (only === undefined)
    throw new UsageError(
      `There is no key with the label ${name}. Look with \`${session.commandLine("keys show")}\`.`,
    );
  if (labelled.length > 1)
    throw new UsageError(
      `Two keys have the label ${name}. Choose one of them: ${labelled.join(" or ")}.`,
    );
  return only;
}

/** @throws Failure if the key makes tokens, or if its tokens may be in use and that is not forced */
function refuseLiving(
  { commandLine, session }: KeyTarget,
  secret: string,
  own: readonly ServerKey[],
  keys: readonly ServerKey[],
  isForced: boolean,
): void {
  const [{ kind } = { kind: kindOf(secret)! }] = own;
  if (own.some(({ state }) => state === "making")) {
    const next = keys.find(
      (key) => key.kind === kind && key.state === "pending",
    );
    throw new Failure(
      `${secret} was not removed, because it makes the server's tokens now. ${
        next?.from === undefined
          ? `Rotate first: ${commandLine(`rotate --kind ${kind}`)}. If the key has leaked: ${commandLine(`leaked ${kind} ${secret}`)}`
          : `${next.secret} takes over at ${secondsText(next.from)}, and some time later it may be retired: \`${session.commandLine("keys show")}\` says when.`
      }`,
    );
  }
  if (isForced) return;
  const now = Date.now() / 1000;
  if (own.every(({ state }) => state === "pending")) {
    const start = Math.min(...own.map(({ from = 0 }) => from));
    if (start - now > START_MARGIN_SECONDS) return;
    throw new Failure(
      `${secret} was not removed, because it takes over at ${secondsText(start)}, and by the time that its removal has reached every location it may have made tokens. ${losses[kind]} To remove it all the same, add --force.`,
    );
  }
  if (isDue(own, now)) return;
  const until = neededUntil(own);
  throw new Failure(
    `${secret} was not removed, because tokens that it has made may be in use${until === undefined ? ", and the server does not know until when" : ` until ${secondsText(until)}`}. ${losses[kind]} ${until === undefined ? "To" : "Wait until then. To"} remove it all the same, add --force.`,
  );
}

/** What is lost with a key whose tokens are in use. */
export const losses: Record<KeyKind, string> = {
  encryption:
    "Without it every refresh token, code and sign-in that it has made is refused, and those users sign in again.",
  private:
    "Without it the access tokens that it has signed are refused, apps refresh them, and users who are on the sign-in page start again. Nobody is logged out.",
};

/** Says what the removal does, and the command with which a person could do it. */
function consequence(
  { url, store }: KeyTarget,
  secret: string,
  own: readonly ServerKey[],
): string {
  const [{ kind } = { kind: kindOf(secret)! }] = own;
  const isDone = isDue(own, Date.now() / 1000);
  const isPending = own.every(({ state }) => state === "pending");
  return [
    `${url}, whose secrets are in ${store.describe()}, loses ${own.length > 1 ? `the ${own.length} keys in ${secret}` : `the ${kindText(kind)} ${secret}`}.`,
    isDone
      ? "Every token that it has made has expired, so nobody notices."
      : isPending
        ? "It has made nothing yet. The rotation to it is cancelled."
        : losses[kind],
    `The same by hand: ${store.deleteCommand(secret)}`,
    "",
  ].join("\n");
}
