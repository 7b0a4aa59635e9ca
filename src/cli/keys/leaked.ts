import { type Command, Argument } from "commander";
import type { Session } from "../commands/session.ts";
import { confirm, yesOption } from "../confirm.ts";
import { Failure, UsageError } from "../failure.ts";
import { examples } from "../program.ts";
import { putKey, removeKey } from "./change-keys.ts";
import { freeName, keyKinds, type KeyKind, kindOf } from "./key-names.ts";
import { aKindText, keysOf, keyTable, secretsOf } from "./key-table.ts";
import {
  checkSameServer,
  type KeyTarget,
  openTarget,
  readKeys,
  type TargetOptions,
} from "./key-target.ts";
import { afterwards, costs, introduction } from "./leak-advice.ts";
import { notice } from "./notice.ts";
import { targetOptions } from "./options.ts";
import { secretNamed } from "./retire.ts";
import type { ServerKey } from "./server-key.ts";
import { secondsText } from "./times.ts";

interface LeakedOptions extends TargetOptions {
  yes?: boolean;
}

/** `baton keys leaked`: what to do when somebody else has a key. */
export function leakedCommand(keys: Command, session: Session): void {
  targetOptions(
    keys
      .command("leaked")
      .addArgument(new Argument("<kind>", "the kind of key").choices(keyKinds))
      .argument(
        "[name]",
        "the secret that has leaked, or its label; may be left out if there is only one",
      )
      .description(
        "replace a key that somebody else has, at once: says what that costs, and asks before each step",
      ),
  )
    .option(...yesOption)
    .addHelpText(
      "after",
      `
It can be run again at any time with the same name, and goes on where it was interrupted.
${examples("keys leaked private PRIVATE_KEY", "keys leaked encryption ENCRYPTION_KEY_2026_11_26")}`,
    )
    .action((kind: KeyKind, name: string | undefined, options: LeakedOptions) =>
      leaked(session, kind, name, options),
    );
}

async function leaked(
  session: Session,
  kind: KeyKind,
  name: string | undefined,
  options: LeakedOptions,
): Promise<void> {
  const target = await openTarget(session, options);
  const keys = await readKeys(session);
  const names = await target.store.names();
  const secret = leakedSecret(session, kind, name, keys, names, options);
  checkSameServer(
    target,
    keys.filter((key) => key.secret !== secret),
    names,
  );
  if (!names.includes(secret) && keysOf(keys, secret).length === 0) {
    session.print({ removed: secret, keys }, () =>
      [
        `There is no key ${secret}: it is removed already.`,
        "",
        keyTable(keys),
        "",
        ...afterwards(kind, undefined),
      ].join("\n"),
    );
    return;
  }
  notice(introduction(target, kind, secret, keys));

  let current = keys;
  if (keysOf(keys, secret).some(({ state }) => state === "making"))
    current = await replace(target, kind, secret, names, options);
  else
    notice(`Step 1 is done: ${secret} does not make tokens, another key does.`);

  notice(
    `\nStep 2: remove ${secret}.\n${costs[kind]}\nThe same by hand: ${target.store.deleteCommand(secret)}\n`,
  );
  await ask(
    "Its value cannot be read back.",
    options,
    `${secret} is still accepted. To go on, run the command again: ${target.commandLine(`leaked ${kind} ${secret}`)}`,
  );
  current = await removeKey(target, secret);
  session.print({ removed: secret, keys: current }, () =>
    [
      `${secret} is removed.`,
      "",
      keyTable(current),
      "",
      ...afterwards(kind, Math.ceil(Date.now() / 1000)),
    ].join("\n"),
  );
}

/** Finds the secret that has leaked. @throws UsageError if it is not certain which one */
function leakedSecret(
  session: Session,
  kind: KeyKind,
  name: string | undefined,
  keys: readonly ServerKey[],
  names: readonly string[],
  { yes }: LeakedOptions,
): string {
  const known = [...names, ...keys.map((key) => key.secret)].filter(
    (secret) => kindOf(secret) === kind,
  );
  if (name !== undefined) {
    const secret = secretNamed(session, name, known);
    if (kindOf(secret) === kind) return secret;
    throw new UsageError(`${secret} is not ${aKindText(kind)}.`);
  }
  const [only] = known;
  if (only === undefined || new Set(known).size > 1 || yes)
    throw new UsageError(
      `Say which key has leaked, because the other keys stay. There ${new Set(known).size > 1 ? "are" : "is"}: ${secretsOf(keys, kind)}.`,
    );
  return only;
}

/** Step 1: a new key that makes tokens at once. */
async function replace(
  target: KeyTarget,
  kind: KeyKind,
  secret: string,
  names: readonly string[],
  options: LeakedOptions,
): Promise<ServerKey[]> {
  const fresh = freeName(kind, new Date(), names);
  const alg = keysOf(await readKeys(target.session), secret).find(
    ({ state }) => state === "making",
  )?.alg;
  const from = Math.floor(Date.now() / 1000);
  const generator = `npm run -s baton -- keys generate --kind ${kind}${kind === "private" && alg !== undefined ? ` --alg ${alg}` : ""} --from ${secondsText(from)}`;
  notice(
    `Step 1: set a new key, ${fresh}, that makes tokens at once.\nA location that does not have it yet refuses its tokens for about a minute.\nThe same by hand: ${target.store.putCommand(fresh, generator)}\n`,
  );
  await ask(
    "If you continue, the new key is made and set now.",
    options,
    "Nothing was changed.",
  );
  const keys = await putKey(target, {
    kind,
    secret: fresh,
    from,
    choice: kind === "private" ? { alg } : {},
  });
  if (keysOf(keys, secret).some(({ state }) => state === "making"))
    throw new Failure(
      `${fresh} was set, but the server still makes tokens with ${secret}, so that was not removed. Compare the clock of this machine with that of the server, and run the command again.`,
    );
  return keys;
}

/** Asks, and says on a no where that leaves the server. */
async function ask(
  question: string,
  options: LeakedOptions,
  onNo: string,
): Promise<void> {
  try {
    await confirm(question, options);
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof Failure)) throw error;
    throw new Failure(`Stopped, because the answer was not yes. ${onNo}`);
  }
}
