import { once } from "node:events";
import { basename } from "node:path";
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { healthSchema } from "./commands/admin-client.ts";
import { isLoopback } from "./commands/connection.ts";
import { problemLines } from "./commands/problem-lines.ts";
import {
  adminTokenIn,
  completeDevVars,
  readDevVars,
} from "./local/dev-vars.ts";
import { say } from "./output.ts";
import { newProgram, run } from "./program.ts";
import {
  assertPortIsFree,
  devVarsPath,
  localUrl,
  onShutdown,
  signalExitCode,
  spawnWranglerDev,
  whenListening,
} from "./local/wrangler.ts";

/** The default port of `wrangler dev`. */
const DEFAULT_PORT = 8787;

const metadataSchema = z.object({ issuer: z.string() });

const program = newProgram("dev")
  .description(
    "Serves Baton on this machine. State is kept in .wrangler/, secrets in .dev.vars.\nThe first run creates both.",
  )
  .option("--port <port>", "the port to serve on", parsePort, DEFAULT_PORT)
  .allowUnknownOption()
  .allowExcessArguments()
  .addHelpText(
    "after",
    `
All other options are passed to \`wrangler dev\`; \`npx wrangler dev --help\` lists them.
With --env-file, the secrets are read from that file and .dev.vars is not changed.

Examples:
  npm run dev
  npm run dev -- --port 9000
  npm run dev -- --var REFRESH_TOKEN_RETRY_WINDOW:PT30S

In a container that others reach as http://baton:8787:
  npm run dev -- --ip 0.0.0.0 --var ISSUER:http://baton:8787`,
  )
  .action(serve);

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535)
    throw new InvalidArgumentError("It must be a number from 1 to 65535.");
  return port;
}

async function serve(
  { port }: { port: number },
  { args: wranglerOptions }: { args: string[] },
): Promise<void> {
  await assertPortIsFree(port);
  if (!wranglerOptions.some(isEnvFileOption)) {
    const written = await completeDevVars(devVarsPath);
    if (written.length > 0) {
      say(
        `Wrote ${joinWithAnd(written)} to ${basename(devVarsPath)}. These are new secrets for this machine only; git ignores the file.`,
      );
    }
  }

  const wrangler = spawnWranglerDev(port, wranglerOptions, {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
  // Always SIGTERM, whichever signal ended this process: on SIGTERM wrangler ends its children.
  onShutdown(() => wrangler.kill("SIGTERM"));
  whenListening(wrangler)
    .then(() => printGreeting(port, wranglerOptions))
    // Wrangler itself reports why it ended, and the server works without the greeting.
    .catch(() => undefined);
  const [code, signal] = await once(wrangler, "exit");
  process.exitCode = code ?? signalExitCode(signal);
}

function isEnvFileOption(option: string): boolean {
  return option === "--env-file" || option.startsWith("--env-file=");
}

/** "a, b and c" */
function joinWithAnd(names: string[]): string {
  return names.join(", ").replace(/, ([^,]*)$/, " and $1");
}

/**
 * Reads the server's ADMIN_TOKEN, to which alone /health names what is wrong. Undefined: it is not in the files
 * with the secrets, or no HTTP header can have it.
 */
async function readAdminToken(
  wranglerOptions: string[],
): Promise<string | undefined> {
  const files = envFilesIn(wranglerOptions);
  const read = await Promise.all(
    (files.length > 0 ? files : [devVarsPath]).map(readDevVars),
  );
  const token = read.map(adminTokenIn).findLast(Boolean);
  return token !== undefined && /^[\x20-\x7e]+$/.test(token)
    ? token
    : undefined;
}

/** The values of --env-file. Wrangler takes every value up to the next option as a file. */
function envFilesIn(options: string[]): string[] {
  let isInside = false;
  return options.flatMap((option) => {
    if (option.startsWith("-")) isInside = isEnvFileOption(option);
    if (!isInside || option === "--env-file") return [];
    return [option.replace(/^--env-file=/, "")];
  });
}

/** Prints the server's URL and first commands to try, or the problems of its configuration. */
async function printGreeting(
  port: number,
  wranglerOptions: string[],
): Promise<void> {
  const url = localUrl(port);
  const token = await readAdminToken(wranglerOptions);
  const response = await fetch(`${url}/health`, {
    ...(token !== undefined && {
      headers: { Authorization: `Bearer ${token}` },
    }),
  });
  if (!response.ok) {
    const { problems } = healthSchema.parse(await response.json());
    const lines = problems
      ? problemLines(problems)
      : ["  The log line of /health above has the problems."];
    say(
      ["", "Baton cannot work with this configuration:", ...lines].join("\n"),
    );
    return;
  }

  const issuer = await issuerOf(url);
  const { protocol, hostname } = new URL(issuer);
  if (protocol === "http:" && !isLoopback(hostname))
    say(`\n${plainHttpWarning(issuer)}`);
  // With the default port too: BATON_URL of the other terminal may name another server.
  const baton = `npm run baton -- --url ${url}`;
  say(`
Baton is running at ${url}. ${await signInNotice(url, issuer)}
To try it, enter in another terminal:
  ${baton} scopes put read "Read your notes"
  ${baton} clients create --id web --scope read --redirect-uri http://127.0.0.1/callback
  ${baton} grants create --client web --subject alice
`);
}

/** Reads the server's ISSUER, which an option of wrangler can set. */
async function issuerOf(url: string): Promise<string> {
  const path = "/.well-known/oauth-authorization-server";
  const metadata = await (await fetch(url + path)).json();
  return metadataSchema.parse(metadata).issuer;
}

function plainHttpWarning(issuer: string): string {
  return `Warning: ISSUER is ${issuer}, which is plain http. Everybody on a network between an app and this server can
read the secrets and tokens. That is for containers on this machine and for development only: a deployed
Baton refuses this ISSUER. Apps, APIs and browsers must all reach this server under that URL.`;
}

/** An option of wrangler can replace the development sign-in page by another login, or by none. */
async function signInNotice(url: string, issuer: string): Promise<string> {
  const exists = async (path: string) =>
    (await fetch(url + path, { redirect: "manual" })).status !== 404;
  if (await exists("/dev/login"))
    return `Apps send users to ${issuer}/authorize.\nThe sign-in page accepts any user name without a password: it is for development only.`;
  return (await exists("/authorize"))
    ? `Apps send users to ${issuer}/authorize,\nwhich redirects them to LOGIN_URL.`
    : "LOGIN_URL is not set, so users cannot sign in.";
}

await run(program);
