import { Failure } from "../failure.ts";
import {
  dateLabel,
  type KeyKind,
  kindOf,
  labelledName,
  namesOfDay,
} from "./key-names.ts";
import { keyTable, kindText } from "./key-table.ts";
import { type KeyTarget, unlistedNames } from "./key-target.ts";
import type { KeyChoice } from "./key-value.ts";
import type { ServerKey } from "./server-key.ts";
import { durationText, minuteText, secondsText, startText } from "./times.ts";

/** What `baton keys rotate` will do, and how it says so. */

/**
 * The time from the put of a key to its start, in seconds. A secret reaches every location within about a minute.
 * Resource servers keep the JWKS for five minutes, and some libraries longer.
 */
const DEFAULT_AFTER = { encryption: 900, private: 3600 };
/** Sooner than this, some locations or resource servers may refuse tokens of the new key. */
const SAFE_AFTER = { encryption: 60, private: 300 };
export interface PlanOptions extends KeyChoice {
  after?: number;
  label?: string;
}

/** A new secret of a rotation. */
export interface Step {
  kind: KeyKind;
  secret: string;
  /** The second from which the new key makes tokens. */
  from: number;
  /** The key that makes tokens until then. */
  replaces: ServerKey;
  choice: KeyChoice;
}

/** A kind of keys that is not rotated now, with the reason. */
export interface Unchanged {
  kind: KeyKind;
  secret: string;
  reason: string;
}

/** Decides what to do for one kind of keys. @throws Failure if the name that was asked for is taken */
export function planKind(
  { session }: KeyTarget,
  kind: KeyKind,
  keys: readonly ServerKey[],
  names: readonly string[],
  options: PlanOptions,
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
export function planText(
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
