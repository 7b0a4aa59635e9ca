import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { projectDirectory, wranglerScript } from "../local/wrangler.ts";
import {
  runWrangler,
  wranglerArguments,
  wranglerFailure,
} from "../secrets/wrangler.ts";
import { quote } from "../shell.ts";

/** The questions and commands for Cloudflare, through wrangler. */

const identity = z.object({
  loggedIn: z.literal(true),
  accounts: z.array(z.object({ id: z.string(), name: z.string() })),
});
export type Account = z.output<typeof identity>["accounts"][number];

const secretList = z.array(z.object({ name: z.string() }));

/** A line of the file to which wrangler writes what it has done. */
const deployEvent = z.looseObject({
  type: z.literal("deploy"),
  targets: z.array(z.string()).optional(),
});

/** Lists the accounts of the login. Undefined: nobody is signed in. @throws Failure if wrangler cannot tell */
export async function accounts(): Promise<Account[] | undefined> {
  const run = await runWrangler(["whoami", "--json"]);
  const parsed = identity.safeParse(jsonIn(run.stdout, "{", "}"));
  if (parsed.success) return parsed.data.accounts;
  if (/"loggedIn":\s*false/.test(run.stdout)) return undefined;
  throw wranglerFailure("whoami", run);
}

/**
 * Lists the secrets of a Worker. Undefined: there is no such Worker.
 *
 * @param chosen the arguments that name the Worker
 * @throws Failure if wrangler cannot tell
 */
export async function secretsOf(
  chosen: string[],
): Promise<string[] | undefined> {
  const args = ["secret", "list", ...chosen, "--format", "json"];
  const run = await runWrangler(args);
  if (run.code !== 0) {
    const text = run.stderr + run.stdout;
    if (/Worker "[^"]*"[^\n]* not found|\[code: 10007\]/.test(text))
      return undefined;
    throw wranglerFailure("secret list", run);
  }
  const parsed = secretList.safeParse(jsonIn(run.stdout, "[", "]"));
  if (!parsed.success) throw wranglerFailure("secret list", run);
  return parsed.data.map(({ name }) => name);
}

/** The command line of wrangler as a person types it. */
export function typed(args: string[]): string {
  return ["npx wrangler", ...args.map(quote)].join(" ");
}

/** Runs wrangler on this terminal, so that it can ask. @throws Failure if it fails */
async function runHere(
  args: string[],
  asJson: boolean,
  env: NodeJS.Dict<string> = {},
): Promise<void> {
  const script = process.env["BATON_WRANGLER"] || wranglerScript;
  const child = spawn(process.execPath, [script, ...args], {
    cwd: projectDirectory,
    // With --json, standard output has the result alone.
    stdio: ["inherit", asJson ? process.stderr.fd : "inherit", "inherit"],
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", ...env },
  });
  const [code] = await once(child, "close");
  if (code !== 0)
    throw new Failure(
      `\`${typed(args)}\` failed; its output is above. Correct what it names, and run setup again: it goes on from here.`,
    );
}

/** Signs in to Cloudflare in a browser. @throws Failure */
export async function signIn(asJson: boolean): Promise<void> {
  await runHere(["login"], asJson);
}

/**
 * Deploys the Worker.
 *
 * @param environment undefined: the settings at the top of the file
 * @returns the addresses that wrangler has reported
 * @throws Failure
 */
export async function deploy(
  environment: string | undefined,
  asJson: boolean,
): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "baton-setup-"));
  const path = join(directory, "deployed.ndjson");
  try {
    const args = ["deploy", ...wranglerArguments({ env: environment })];
    await runHere(args, asJson, { WRANGLER_OUTPUT_FILE_PATH: path });
    const text = await readFile(path, "utf8").catch(() => "");
    return text.split("\n").flatMap((line) => {
      const parsed = deployEvent.safeParse(jsonIn(line, "{", "}"));
      return parsed.success ? (parsed.data.targets ?? []) : [];
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Finds the JSON in an output that may have notices around it. */
function jsonIn(text: string, first: string, last: string): unknown {
  try {
    return JSON.parse(
      text.slice(text.indexOf(first), text.lastIndexOf(last) + 1),
    );
  } catch {
    return undefined;
  }
}
