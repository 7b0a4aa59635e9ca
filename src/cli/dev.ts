import { once } from "node:events";
import { basename } from "node:path";
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { completeDevVars } from "./local/dev-vars.ts";
import { say } from "./output.ts";
import { newProgram, run } from "./program.ts";
import {
  assertPortIsFree,
  devVarsPath,
  localUrl,
  onEnd,
  signalExitCode,
  spawnWranglerDev,
  whenListening,
} from "./local/wrangler.ts";

/** The port that wrangler serves on when it isn't told another. */
const DEFAULT_PORT = 8787;

const program = newProgram("dev")
  .description(
    "Serves Baton on this machine. State is kept in .wrangler/, secrets in .dev.vars;\nthe first run makes them.",
  )
  .option("--port <port>", "the port to serve on", parsePort, DEFAULT_PORT)
  .allowUnknownOption()
  .allowExcessArguments()
  .addHelpText(
    "after",
    `
Other options go to \`wrangler dev\`; \`npx wrangler dev --help\` lists them.
With --env-file the secrets are read from that file, and .dev.vars is left alone.

Examples:
  npm run dev
  npm run dev -- --port 9000
  npm run dev -- --var REFRESH_TOKEN_RETRY_WINDOW:PT30S`,
  )
  .action(serve);

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535)
    throw new InvalidArgumentError("It has to be a number from 1 to 65535.");
  return port;
}

async function serve(
  { port }: { port: number },
  { args: wranglerOptions }: { args: string[] },
): Promise<void> {
  await assertPortIsFree(port);
  if (!wranglerOptions.some(namesEnvFile)) {
    const written = await completeDevVars(devVarsPath);
    if (written.length > 0) {
      say(
        `Wrote ${inWords(written)} to ${basename(devVarsPath)}: fresh, for this machine only, ignored by git.`,
      );
    }
  }

  const wrangler = spawnWranglerDev(port, wranglerOptions, {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  // Always SIGTERM: it is the one on which wrangler ends its children, whatever ended us.
  onEnd(() => wrangler.kill("SIGTERM"));
  whenListening(wrangler)
    .then(() => greet(port))
    // The greeting is a courtesy: wrangler itself says why it ends, and keeps on if it doesn't.
    .catch(() => undefined);
  const [code, signal] = await once(wrangler, "exit");
  process.exitCode = code ?? signalExitCode(signal);
}

function namesEnvFile(option: string): boolean {
  return option === "--env-file" || option.startsWith("--env-file=");
}

function inWords(names: string[]): string {
  return names.join(", ").replace(/, ([^,]*)$/, " and $1");
}

const health = z.object({
  problems: z
    .array(z.object({ name: z.string(), problem: z.string() }))
    .default([]),
});

/** Says where the server is and what to do with it, or what is wrong with its configuration. */
async function greet(port: number): Promise<void> {
  const url = localUrl(port);
  const response = await fetch(`${url}/health`);
  if (!response.ok) {
    const { problems } = health.parse(await response.json());
    const named = problems.map(({ name, problem }) => `  ${name} ${problem}`);
    say(["", "Baton can't work yet:", ...named].join("\n"));
    return;
  }

  const where = port === DEFAULT_PORT ? "" : ` --url ${url}`;
  say(`
Baton serves at ${url}. ${await howPeopleSignIn(url)}
In another terminal:
  npm run baton --${where} scopes put read "Read your notes"
  npm run baton --${where} clients create --id web --scope read --redirect-uri http://127.0.0.1/callback
  npm run baton --${where} grants create --client web --subject alice
`);
}

/** The sign-in page for development may have given way to another login, or to none. */
async function howPeopleSignIn(url: string): Promise<string> {
  const isThere = async (path: string) =>
    (await fetch(url + path, { redirect: "manual" })).status !== 404;
  if (await isThere("/dev/login"))
    return `Apps send people to ${url}/authorize,\nwhere anybody signs in as anybody: this is for development.`;
  return (await isThere("/authorize"))
    ? `Apps send people to ${url}/authorize,\nand that on to LOGIN_URL.`
    : "There is no LOGIN_URL, so nobody signs in.";
}

await run(program);
