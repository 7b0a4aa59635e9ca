import type { Command } from "commander";
import type { Session } from "../commands/session.ts";
import { confirm, yesOption } from "../confirm.ts";
import { Failure } from "../failure.ts";
import { examples } from "../program.ts";
import { putKey } from "./change-keys.ts";
import {
  dateLabel,
  keyKinds,
  type KeyKind,
  kindOf,
  labelledName,
  namesOfDay,
} from "./key-names.ts";
import { keyTable, kindText } from "./key-table.ts";
import {
  checkSameServer,
  type KeyTarget,
  openTarget,
  readKeys,
  type TargetOptions,
  unlistedNames,
} from "./key-target.ts";
import { checkChoice, type KeyChoice, signingAlgorithms } from "./key-value.ts";
import { notice } from "./notice.ts";
import { kindOption, parseBits, targetOptions } from "./options.ts";
import type { ServerKey } from "./server-key.ts";
import {
  durationText,
  minuteText,
  startText,
  parseDuration,
  secondsText,
} from "./times.ts";

/**
 * The time from the put of a key to its start, in seconds. A secret reaches every location within about a minute.
 * Resource servers keep the JWKS for five minutes, and some libraries longer.
 */
const DEFAULT_AFTER = { encryption: 900, private: 3600 };
/** Sooner than this, some locations or resource servers may refuse tokens of the new key. */
const SAFE_AFTER = { encryption: 60, private: 300 };
/** An answer that comes later than this after the plan would shorten the time until the start. */
const MAX_ANSWER_SECONDS = 60;

interface RotateOptions extends TargetOptions, KeyChoice {
  kind: KeyKind | "both";
  after?: number;
  label?: string;
  dryRun?: boolean;
  yes?: boolean;
}

/** `baton keys rotate`: one new secret for each kind, which takes over by itself. */
export function rotateCommand(keys: Command, session: Session): void {
  targetOptions(
    keys
      .command("rotate")
      .description(
        "set a new key that takes over by itself later; nobody is logged out",
      )
      .addOption(
        kindOption("the kind of keys to rotate", ["both", ...keyKinds]).default(
          "both",
        ),
      )
      .option(
        "--after <duration>",
        "the time until the new key takes over (default: PT15M for an encryption key, PT1H for a private key)",
        parseDuration,
      )
      .option(
        "--label <label>",
        "the end of the secret's name (default: the day, such as 2026_11_26)",
      )
      .option(
        "--alg <alg>",
        `algorithm of the private key: ${signingAlgorithms.join(", ")} (default: that of the present key)`,
      )
      .option(
        "--bits <bits>",
        "length of an RSA key: 2048, 3072 or 4096 (default: 2048)",
        parseBits,
      ),
  )
    .option("--dry-run", "show what would happen, and change nothing")
    .option(...yesOption)
    .addHelpText(
      "after",
      `
It can be run again at any time: a rotation that is under way is not started twice.
${examples("keys rotate --dry-run", "keys rotate", "keys rotate --kind private --alg EdDSA --label 2027", "keys rotate --local --after PT10S --yes")}`,
    )
    .action((options: RotateOptions) => rotate(session, options));
}

/** A new secret of a rotation. */
interface Step {
  kind: KeyKind;
  secret: string;
  /** The second from which the new key makes tokens. */
  from: number;
  /** The key that makes tokens until then. */
  replaces: ServerKey;
  choice: KeyChoice;
}

/** A kind of keys that is not rotated now, with the reason. */
interface Unchanged {
  kind: KeyKind;
  secret: string;
  reason: string;
}

async function rotate(session: Session, options: RotateOptions): Promise<void> {
  const kinds: readonly KeyKind[] =
    options.kind === "both" ? keyKinds : [options.kind];
  checkChoice(kinds, options);
  if (options.label !== undefined)
    for (const kind of kinds) labelledName(kind, options.label);

  const target = await openTarget(session, options);
  const keys = await readKeys(session);
  const names = await target.store.names();
  checkSameServer(target, keys, names);
  const plannedAt = Date.now();
  const plans = kinds.map((kind) =>
    planKind(target, kind, keys, names, options, new Date(plannedAt)),
  );
  const steps = plans.filter((plan) => "from" in plan);
  const unchanged = plans.filter((plan) => "reason" in plan);
  for (const { reason } of unchanged) notice(reason);

  if (options.dryRun || steps.length === 0) {
    const rotated = steps.map(toJson);
    session.print({ rotated: [], planned: rotated, unchanged, keys }, () =>
      steps.length === 0
        ? keyTable(keys)
        : `${planText(target, keys, steps)}\nNothing was changed, because of --dry-run.`,
    );
    return;
  }
  notice(planText(target, keys, steps));
  await confirm(
    steps.length === 1
      ? "If you continue, the new key is made and set now."
      : "If you continue, the new keys are made and set now.",
    options,
  );
  if (Date.now() - plannedAt > MAX_ANSWER_SECONDS * 1000 && !options.yes)
    throw new Failure(
      "Nothing was changed, because the answer came more than a minute after the plan, and its times would no longer be right. Run the command again.",
    );

  let after = keys;
  for (const { kind, secret, from, choice } of steps)
    after = await putKey(target, { kind, secret, from, choice });
  session.print({ rotated: steps.map(toJson), unchanged, keys: after }, () =>
    keyTable(after),
  );
}

function toJson({ kind, secret, from }: Step) {
  return { kind, secret, from };
}

/** Decides what to do for one kind of keys. @throws Failure if the name that was asked for is taken */
function planKind(
  { session }: KeyTarget,
  kind: KeyKind,
  keys: readonly ServerKey[],
  names: readonly string[],
  options: RotateOptions,
  now: Date,
): Step | Unchanged {
  const ofKind = keys.filter((key) => key.kind === kind);
  const pending = ofKind.find(({ state }) => state === "pending");
  if (pending) {
    const from =
      pending.from === undefined ? "later" : secondsText(pending.from);
    const reason = `A rotation of the ${kindText(kind)} is pending already: ${pending.secret} takes over at ${from}. Nothing was changed for it.`;
    return { kind, secret: pending.secret, reason };
  }
  const unlisted = unlistedNames(keys, names).find(
    (name) => kindOf(name) === kind,
  );
  if (unlisted !== undefined)
    throw new Failure(
      `Nothing was changed, because ${unlisted} is set and the server does not list it yet. If it was just set, wait a minute and run the command again. Otherwise the server is not the one that has this secret: check BATON_URL and --wrangler-env.`,
    );
  const making = ofKind.find(({ state }) => state === "making");
  if (!making)
    throw new Failure(
      `Nothing was changed, because the server lists no ${kindText(kind)} that makes tokens. Look at \`${session.commandLine("health")}\`.`,
    );
  const secret = labelledName(kind, options.label ?? dateLabel(now));
  const [existing] =
    options.label === undefined
      ? namesOfDay(kind, now, names)
      : names.filter((name) => name === secret);
  if (existing !== undefined) {
    if (options.label !== undefined)
      throw new Failure(
        `Nothing was changed, because ${secret} exists already and a key is never overwritten. Choose another --label.`,
      );
    const reason = `The ${kindText(kind)} was rotated today: ${existing} exists. Nothing was changed for it. To rotate it again today, choose a --label.`;
    return { kind, secret: existing, reason };
  }
  return {
    kind,
    secret,
    from:
      Math.ceil(now.getTime() / 1000) + (options.after ?? DEFAULT_AFTER[kind]),
    replaces: making,
    choice:
      kind === "private"
        ? { alg: options.alg ?? making.alg, bits: options.bits }
        : {},
  };
}

/** The width of the times in a plan: 2026-12-01 10:00:16. */
const TIME_WIDTH = 19;

/** Says exactly what will happen and when, and with which commands a person could do it. */
function planText(
  { url, store, commandLine }: KeyTarget,
  keys: readonly ServerKey[],
  steps: readonly Step[],
): string {
  const lines = steps.flatMap((step) => {
    const { kind, secret, from, replaces } = step;
    const old = replaces.secret;
    return [
      "",
      `The ${kindText(kind)} (times in UTC):`,
      `  now                  ${secret} is set. It is ${kind === "private" ? "published, and signs" : "accepted, and makes"} nothing yet.`,
      `  ${startText(from).padEnd(TIME_WIDTH)}  It ${kind === "private" ? "signs" : "makes tokens"}. What ${old} has made stays good.`,
      `  ${due(step).padEnd(TIME_WIDTH)}  ${old} may go: ${commandLine(`retire ${old}`)}`,
      `  The same by hand: ${store.putCommand(secret, generatorOf(step))}`,
      ...warningsOf(step),
    ];
  });
  return [
    `${url}, whose secrets are in ${store.describe()}, has these keys now:`,
    "",
    keyTable(keys),
    ...lines,
    "",
  ].join("\n");
}

/** The minute at which the old key may be retired, as far as the lifetimes of now tell. */
function due({ from, replaces: { longest_life: life } }: Step): string {
  return life === undefined ? "later" : minuteText(from + life);
}

function generatorOf({ kind, from, choice: { alg, bits } }: Step): string {
  const more = `${alg === undefined ? "" : ` --alg ${alg}`}${bits === undefined ? "" : ` --bits ${bits}`}`;
  return `npm run -s baton -- keys generate --kind ${kind}${more} --from ${secondsText(from)}`;
}

function warningsOf({ kind, from }: Step): string[] {
  const seconds = from - Math.ceil(Date.now() / 1000);
  if (seconds >= SAFE_AFTER[kind] - 1) return [];
  return [
    kind === "private"
      ? `  Warning: a resource server that has read the JWKS within the last five minutes may refuse tokens of the new key, because it starts in ${durationText(seconds)}.`
      : `  Warning: a location that does not have the new key yet refuses its tokens, and logs their users out, because it starts in ${durationText(seconds)}. A change takes about a minute to reach every location.`,
  ];
}
