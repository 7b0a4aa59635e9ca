import { type Command, InvalidArgumentError } from "commander";
import { collect } from "../commands/client-options.ts";
import { UsageError } from "../failure.ts";
import { say, toJson } from "../output.ts";
import { examples } from "../program.ts";
import { setUpLocally } from "./local.ts";
import { Questions } from "./questions.ts";
import { Reporter } from "./reporter.ts";
import { DEFAULT_WAIT_SECONDS } from "./server.ts";
import { setUp, type SetupOptions } from "./set-up.ts";
import { updateSettings } from "./update.ts";

interface Options extends SetupOptions {
  yes?: true;
  local?: true;
  update?: true;
}

/** `baton setup`: the first deploy, from the settings to the first client. */
export function setupCommand(program: Command): void {
  program
    .command("setup")
    .description(
      "deploy a server of your own: settings, keys, deploy, first scopes and client.\nIt asks what it needs, shows each step as a command, and can be run again at any time: it\nkeeps what is there and goes on with what is missing.",
    )
    .option(
      "--env <name>",
      "environment: production, staging or a name of yours; each is a Worker of its own. After setup it is no profile",
    )
    .option(
      "--issuer <url>",
      "the server's address: https://auth.example.com in a domain of your Cloudflare account, or https://baton.SUBDOMAIN.workers.dev",
    )
    .option(
      "--login-url <url>",
      'your sign-in page, for apps with an authorization endpoint; "" for none',
    )
    .option("--name <worker>", "name of the Worker (default: baton, baton-ENV)")
    .option("--account <id>", "the Cloudflare account, if you have several")
    .option(
      "--scope <name=description>",
      'a first scope, such as "read=Read your notes"; can be repeated',
      collect,
    )
    .option("--client <name>", "a first client with all first scopes")
    .option("--redirect-uri <uri>", "where the first client gets its codes")
    .option(
      "--take-over",
      "go on also where another Worker has the name, or something answers at the address",
    )
    .option(
      "--wait <seconds>",
      "how long to wait for the server to answer",
      parseSeconds,
      DEFAULT_WAIT_SECONDS,
    )
    .option("--yes", "ask nothing; what is not given is left out")
    .option(
      "--dry-run",
      "show every step, and change and ask nothing at Cloudflare",
    )
    .option(
      "--local",
      "write .dev.vars for a server on this machine, and no more",
    )
    .option(
      "--update",
      "add to wrangler.json what is new in wrangler.toml, and no more",
    )
    .addHelpText(
      "after",
      examples(
        "setup",
        "setup --dry-run",
        "setup --env staging --issuer https://baton-staging.example.workers.dev --yes",
        "setup --local",
      ),
    )
    .action(async ({ local, update, ...options }: Options) => {
      refuseProfile(program);
      const asJson = program.opts<{ json?: boolean }>().json === true;
      const reporter = new Reporter(asJson);
      const questions = new Questions(options.yes === true);
      try {
        const result = local
          ? await setUpLocally(reporter, options.dryRun === true)
          : update
            ? await updateSettings(reporter, options.dryRun === true)
            : await setUp(options, { reporter, questions, asJson });
        if (asJson) say(toJson(result));
      } finally {
        questions.close();
      }
    });
}

/**
 * Refuses `--env` before `setup`, where it names a profile. Commander takes it for that of setup, and so a command line
 * that means a known server would make another one.
 */
function refuseProfile(program: Command): void {
  const args = process.argv.slice(2);
  const before = args.slice(0, args.indexOf("setup"));
  if (!before.some((arg) => arg === "--env" || arg.startsWith("--env=")))
    return;
  const { env = "NAME" } = program.opts<{ env?: string }>();
  throw new UsageError(
    `--env before setup names a profile, and setup does not use profiles. For the environment, put it after: setup --env ${env}.`,
  );
}

function parseSeconds(text: string): number {
  if (!/^\d{1,4}$/.test(text))
    throw new InvalidArgumentError("It must be a number from 0 to 9999.");
  return Number(text);
}
