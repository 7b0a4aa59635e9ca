import { type Command, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "./times.ts";

/** The option that chooses a kind of key. */
export function kindOption(
  description: string,
  kinds: readonly string[],
): Option {
  return new Option("--kind <kind>", description).choices(kinds);
}

export function parseBits(text: string): number {
  if (!/^\d{4}$/.test(text))
    throw new InvalidArgumentError("It must be 2048, 3072 or 4096.");
  return Number(text);
}

/** Adds the options of every command that changes keys. */
export function targetOptions(command: Command): Command {
  return command
    .option(
      "--local",
      "the server of `npm run dev`, whose keys are in .dev.vars",
    )
    .option(
      "--wrangler-env <name>",
      "the env.NAME block of the settings (wrangler.json or wrangler.toml); passed to wrangler as --env",
    )
    .option(
      "--wait <duration>",
      "the longest time to wait for the server to notice the change (default: PT2M, with --local PT1M)",
      parseDuration,
    );
}
