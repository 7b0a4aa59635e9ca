import type { Command } from "commander";
import type { Session } from "../commands/session.ts";
import { confirm, yesOption } from "../confirm.ts";
import { Failure } from "../failure.ts";
import { examples } from "../program.ts";
import { putKey } from "./change-keys.ts";
import { keyKinds, type KeyKind, labelledName } from "./key-names.ts";
import { keyTable } from "./key-table.ts";
import {
  checkSameServer,
  openTarget,
  readKeys,
  type TargetOptions,
} from "./key-target.ts";
import { checkChoice, signingAlgorithms } from "./key-value.ts";
import { notice } from "./notice.ts";
import { kindOption, parseBits, targetOptions } from "./options.ts";
import {
  planKind,
  type PlanOptions,
  planText,
  type Step,
} from "./rotation-plan.ts";
import { parseDuration } from "./times.ts";

/** An answer that comes later than this after the plan would shorten the time until the start. */
const MAX_ANSWER_SECONDS = 60;

interface RotateOptions extends TargetOptions, PlanOptions {
  kind: KeyKind | "both";
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
