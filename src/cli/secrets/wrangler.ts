import { spawn } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { settingsFile } from "../local/settings-file.ts";
import { projectDirectory, wranglerScript } from "../local/wrangler.ts";
import { printable } from "../output.ts";
import { quote } from "../shell.ts";
import type { SecretStore } from "./secret-store.ts";

/** The Worker that wrangler is to act on. */
export interface WranglerOptions {
  /** The `[env.NAME]` block of the configuration. */
  env?: string | undefined;
  /** Another configuration file than the one that wrangler finds. */
  config?: string | undefined;
}

/** The output of a run of wrangler, without colours. */
export interface WranglerRun {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs wrangler to its end. It cannot ask a question, because its input is a pipe.
 *
 * BATON_WRANGLER is the path of another script to run with Node in its place: for tests, and for another version
 * of wrangler.
 *
 * @param input is its standard input. A secret goes here, because other users of the machine can read a command line
 * @throws Failure if it cannot be started
 */
export async function runWrangler(
  args: string[],
  { env, config }: WranglerOptions = {},
  input = "",
): Promise<WranglerRun> {
  const script = process.env["BATON_WRANGLER"] || wranglerScript;
  const child = spawn(
    process.execPath,
    [script, ...args, ...wranglerArguments({ env, config })],
    {
      cwd: projectDirectory,
      stdio: "pipe",
      // Ctrl-C goes to every process of a terminal's group, and must not cut off a change (`uninterrupted.ts`).
      detached: process.platform !== "win32",
      env: {
        ...process.env,
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        // Its log files would have the secrets without this.
        WRANGLER_LOG_SANITIZE: "true",
        NO_COLOR: "1",
      },
    },
  );
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  // Wrangler may end before it has read its input, and says why itself.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  try {
    const [code] = await once(child, "close");
    return {
      code: code ?? 1,
      stdout: stripVTControlCharacters(output.stdout),
      stderr: stripVTControlCharacters(output.stderr),
    };
  } catch (error) {
    throw new Failure(
      `Cannot start wrangler: ${(error as Error).message}. Run \`npm ci\` in the project's directory.`,
    );
  }
}

/** The arguments that choose the Worker. */
export function wranglerArguments({ env, config }: WranglerOptions): string[] {
  return [
    ...(config === undefined ? [] : ["--config", config]),
    ...(env === undefined ? [] : ["--env", env]),
  ];
}

const secretList = z.array(z.object({ name: z.string() }));

/** The secrets of a deployed Worker. Wrangler reads and writes them. */
export class WranglerSecrets implements SecretStore {
  readonly #options: WranglerOptions;

  constructor(options: WranglerOptions = {}) {
    this.#options = options;
  }

  describe(): string {
    const { env } = this.#options;
    return env === undefined
      ? "the deployed Worker"
      : `the deployed Worker of the environment ${env}`;
  }

  putCommand(name: string, generator: string): string {
    return `${generator} | npx ${this.#words("put", name)}`;
  }

  deleteCommand(name: string): string {
    return `npx ${this.#words("delete", name)}`;
  }

  async names(): Promise<string[]> {
    const run = await this.#run(["list", "--format", "json"]);
    const parsed = secretList.safeParse(parseList(run.stdout));
    if (!parsed.success)
      throw new Failure(
        `\`wrangler secret list\` has not printed a list of secrets. Run \`npx ${this.#words("list")}\` yourself to see what it prints.`,
      );
    return parsed.data.map(({ name }) => name);
  }

  /** With a Worker that does not exist wrangler would make an empty one, so `names` must have succeeded before. */
  async put(name: string, value: string): Promise<void> {
    await this.#run(["put", name], value);
  }

  async delete(name: string): Promise<void> {
    await this.#run(["delete", name]);
  }

  #words(...words: string[]): string {
    const chosen = wranglerArguments(this.#options).map(quote);
    return ["wrangler", "secret", ...words, ...chosen].join(" ");
  }

  async #run(args: string[], input?: string): Promise<WranglerRun> {
    const run = await runWrangler(["secret", ...args], this.#options, input);
    if (run.code !== 0) throw wranglerFailure(`secret ${args[0]}`, run);
    return run;
  }
}

/** Finds the JSON in the output of `wrangler secret list`, which may have notices around it. */
function parseList(stdout: string): unknown {
  try {
    return JSON.parse(
      stdout.slice(stdout.indexOf("["), stdout.lastIndexOf("]") + 1),
    );
  } catch {
    return undefined;
  }
}

/** Errors of wrangler that have a remedy. They are recognised by their text, because its exit code is always 1. */
const remedies = (file: string): [RegExp, string][] => [
  [
    /CLOUDFLARE_API_TOKEN|not (?:logged|signed) in|You are not authenticated/i,
    "wrangler is not signed in to Cloudflare. Sign in with `npx wrangler login`, or set the environment variable CLOUDFLARE_API_TOKEN.",
  ],
  [
    /More than one account|CLOUDFLARE_ACCOUNT_ID/i,
    "this login has several Cloudflare accounts. Set the environment variable CLOUDFLARE_ACCOUNT_ID to the one that has the Worker (`npx wrangler whoami` lists them).",
  ],
  [
    /Authentication error|Invalid (?:access|API) token|\[code: (?:10000|9109|9106)\]/i,
    "Cloudflare refused the login. Sign in again with `npx wrangler login`, or set CLOUDFLARE_API_TOKEN to a token that may edit Workers.",
  ],
  [
    /Worker "[^"]*"[^\n]* not found|does not exist on your account|\[code: (?:10007|10090)\]/i,
    `there is no such Worker in this account. Deploy it first, or check the name in ${file}, the account and --env.`,
  ],
  [
    /latest version of your Worker isn't currently deployed|\[code: 1021[45]\]/i,
    "the newest version of the Worker is not the one that is deployed. Deploy it (`npx wrangler deploy`), or end the gradual deployment. Then run the command again.",
  ],
  [
    /No environment found[^\n]*|environment[^\n]*does not exist/i,
    `${file} has no such environment. Check --env.`,
  ],
  [
    /fetch failed|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|network/i,
    "Cloudflare could not be reached. Check the connection, and run the command again.",
  ],
];

/** Says in a sentence why a command of wrangler has failed. */
export function wranglerFailure(
  command: string,
  { stdout, stderr }: WranglerRun,
): Failure {
  const text = `${stderr}\n${stdout}`;
  const [, remedy] =
    remedies(settingsFile()).find(([pattern]) => pattern.test(text)) ?? [];
  const said = /\[ERROR\]\s*(.+)/.exec(text)?.[1] ?? stderr.trim();
  return new Failure(
    remedy === undefined
      ? `\`wrangler ${command}\` failed. It says: ${printable(said) || "nothing"}`
      : `\`wrangler ${command}\` failed, because ${remedy}`,
  );
}
