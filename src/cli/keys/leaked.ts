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
import { notice } from "./notice.ts";
import { targetOptions } from "./options.ts";
import { secretNamed } from "./retire.ts";
import type { ServerKey } from "./server-key.ts";
import { secondsText } from "./times.ts";

/** The JWKS says `max-age=300`, and the removal reaches every location within about a minute. */
const BELIEVED_SECONDS = 360;

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

/** What a leak of each kind allows, as docs/security.md has it. */
const allows: Record<KeyKind, (target: KeyTarget) => string[]> = {
  private: () => [
    "Whoever has a private key can make access tokens for anybody. An API believes them",
    "until the key is out of the JWKS and of the API's cache. Nobody can make refresh tokens",
    "with it. Together with an encryption key it also makes codes for any user of a public",
    "client, so remove it at once.",
  ],
  encryption: ({ commandLine }) => [
    "Whoever has an encryption key can read requests and codes on their way, and nobody can",
    "make a token of a login with it alone. If no private key and no refresh token has leaked",
    "beside it, you may answer no here and rotate instead, which logs nobody out:",
    `  ${commandLine("rotate --kind encryption")}`,
    `If a private key has leaked too, replace that one first: ${commandLine("leaked private")}`,
  ],
};

/** What the removal costs. */
const costs: Record<KeyKind, string> = {
  private:
    "Access tokens that it has signed are refused, and apps refresh them. Nobody is logged out.\nUsers who are on the sign-in page start again.",
  encryption:
    "Every refresh token, code and sign-in that it has made is refused: those users sign in\nagain. Access tokens are good until they expire.",
};

function introduction(
  target: KeyTarget,
  kind: KeyKind,
  secret: string,
  keys: readonly ServerKey[],
): string {
  const { url, store } = target;
  return [
    `${secret} of ${url}, whose secrets are in ${store.describe()}, has leaked.`,
    ...allows[kind](target),
    "",
    keyTable(keys.filter((key) => key.kind === kind)),
    "",
  ].join("\n");
}

/** What is still to be done when the key is gone. */
function afterwards(kind: KeyKind, removedAt: number | undefined): string[] {
  if (kind === "encryption")
    return [
      "Users whose refresh token it has made sign in again. In the log, their refresh has",
      "the reason refresh_token_forged.",
    ];
  const until =
    removedAt === undefined
      ? "for six minutes after the removal"
      : `until ${secondsText(removedAt + BELIEVED_SECONDS)}`;
  return [
    `An API that keeps the JWKS for its max-age believes forged tokens ${until}.`,
    "One that keeps it longer must be restarted. /introspect refuses them now. Look in the logs",
    "of your APIs for access tokens with this kid that Baton's log does not have.",
  ];
}
