import type { Command } from "commander";
import { UsageError } from "../failure.ts";
import { say, warn } from "../output.ts";
import { examples } from "../program.ts";
import { keyKinds, type KeyKind } from "./key-names.ts";
import {
  checkChoice,
  freshKey,
  type KeyChoice,
  signingAlgorithms,
} from "./key-value.ts";
import { kindOption, parseBits } from "./options.ts";
import { parseTime } from "./times.ts";

/** `baton keys generate`: prints a fresh key, for a pipe. Asks no server. */
export function generateCommand(keys: Command): void {
  keys
    .command("generate")
    .description(
      "print a fresh key, for a pipe to `wrangler secret put`; changes nothing",
    )
    .addOption(kindOption("the kind of key", keyKinds))
    .option(
      "--alg <alg>",
      `algorithm of a private key: ${signingAlgorithms.join(", ")} (default: ES256)`,
    )
    .option(
      "--bits <bits>",
      "length of an RSA key: 2048, 3072 or 4096 (default: 2048)",
      parseBits,
    )
    .option(
      "--from <time>",
      "the time in UTC from which the key makes tokens, such as 2026-12-01T10:00:00Z",
      parseTime,
    )
    .addHelpText(
      "after",
      examples(
        "keys generate --kind encryption | npx wrangler secret put ENCRYPTION_KEY_2026_12",
        "keys generate --alg RS256 --bits 3072 --from 2026-12-01T10:00:00Z > key.txt",
      ),
    )
    .action(generate);
}

/** Tells whether `npm run` has printed its heading, which -s suppresses. */
function isBelowNpmHeading(): boolean {
  const { npm_lifecycle_event, npm_config_loglevel } = process.env;
  return npm_lifecycle_event === "baton" && npm_config_loglevel !== "silent";
}

interface GenerateOptions extends KeyChoice {
  kind?: KeyKind;
  from?: number;
}

function generate({ kind, from, ...choice }: GenerateOptions): void {
  const chosen = kind ?? (choice.alg === undefined ? undefined : "private");
  if (chosen === undefined)
    throw new UsageError(
      "The kind of key is missing. Add --kind encryption or --kind private.",
    );
  checkChoice([chosen], choice);
  if (process.stdout.isTTY)
    warn(
      "the key is printed on the terminal, where it can be read later. Send it through a pipe, for example to `npx wrangler secret put NAME`.",
    );
  else if (isBelowNpmHeading())
    warn(
      "npm has printed its heading before the key, so that the two are in the pipe or file together. Type `npm run -s baton -- keys generate …`.",
    );
  say(freshKey(chosen, choice, from));
}
