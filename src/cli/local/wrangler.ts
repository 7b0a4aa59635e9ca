import {
  type ChildProcess,
  spawn,
  type SpawnOptions,
} from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { constants } from "node:os";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { Failure } from "../failure.ts";

/** The directory of wrangler.toml. */
export const projectDirectory = resolve(import.meta.dirname, "../../..");

/** The file with the secrets of a developer's machine. Git ignores it. */
export const devVarsPath = join(projectDirectory, ".dev.vars");

/** The Worker with the development sign-in page. `wrangler.toml` names the one that is deployed. */
const localEntry = join(projectDirectory, "src/dev/index.ts");

/** The script of wrangler itself. It is started without npm or a shell, so that signals reach it directly. */
export const wranglerScript = join(
  dirname(createRequire(import.meta.url).resolve("wrangler/package.json")),
  "bin/wrangler.js",
);

/** The signals with which a terminal or a supervisor ends a program. */
const shutdownSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Interval of the check whether npm's shell still runs. */
const ORPHAN_CHECK_INTERVAL_MS = 500;

/**
 * Calls `shutDown` when this process should end. A signal to `npm run` ends npm and its shell, but the
 * shell does not forward the signal. The only sign of it here is that the parent process has changed.
 */
export function onShutdown(shutDown: (signal: NodeJS.Signals) => void): void {
  for (const signal of shutdownSignals)
    process.on(signal, () => shutDown(signal));
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    shutDown("SIGTERM");
  }, ORPHAN_CHECK_INTERVAL_MS);
  check.unref();
}

/** The exit code that shells use for a program that a signal ended. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

export function localUrl(port: number): string {
  return `http://localhost:${port}`;
}

/**
 * Starts `wrangler dev` as a child process. `stdio` must have an `ipc` channel, because wrangler uses it
 * to report that the server is ready.
 *
 * @param wranglerOptions more options for wrangler; they override the ones that are set here
 */
export function spawnWranglerDev(
  port: number,
  wranglerOptions: string[],
  {
    env,
    ...options
  }: Pick<SpawnOptions, "stdio" | "detached" | "cwd"> & {
    env?: NodeJS.Dict<string>;
  },
): ChildProcess {
  const url = localUrl(port);
  const args = [localEntry, "--port", String(port)];
  // The pages to sign in and out are parts of the local server. A deployed Worker does not have them.
  const issuer = variableIn(wranglerOptions, "ISSUER", "http://.+") ?? url;
  const variables = [`ISSUER:${url}`, `LOGIN_URL:${issuer}/dev/login`];
  // Another login has sessions of its own, and /dev/logout would not end them.
  if (variableIn(wranglerOptions, "LOGIN_URL") === undefined)
    variables.push(`LOGOUT_URL:${issuer}/dev/logout`);
  args.push(...variables.flatMap((variable) => ["--var", variable]));
  // Not wrangler.json, which has the settings of a deployed server.
  if (!wranglerOptions.some((option) => /^(?:-c|--config)(?:=|$)/.test(option)))
    args.push("--config", join(projectDirectory, "wrangler.toml"));
  // With routes, the Worker would see http://HOST-OF-THE-ROUTE, which it refuses, because it is plain http.
  if (hasRoutes()) args.push("--local-upstream", `localhost:${port}`);
  return spawn(
    process.execPath,
    [wranglerScript, "dev", ...args, ...wranglerOptions],
    {
      cwd: projectDirectory,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", ...env },
      ...options,
    },
  );
}

/** Returns the last value that the options set for a variable, of those with the given form. */
function variableIn(
  options: string[],
  name: string,
  form = ".*",
): string | undefined {
  const assignment = new RegExp(`^(?:--var=)?${name}:(${form})$`);
  return options
    .map((option) => assignment.exec(option)?.[1])
    .findLast((value) => value !== undefined);
}

/** Tells whether wrangler.toml leads an address to the Worker. Wrangler's own parser takes seconds to load. */
function hasRoutes(): boolean {
  const config = readFileSync(join(projectDirectory, "wrangler.toml"), "utf8");
  return /^\s*(?:routes?\s*=|\[\[routes\]\])/m.test(config);
}

/** Resolves when the server accepts connections. Rejects if wrangler ends before that. */
export async function whenListening(wrangler: ChildProcess): Promise<void> {
  const listening = new Promise<void>((resolve) => {
    wrangler.on("message", (message) => {
      const isReady =
        typeof message === "string" && message.includes('"DEV_SERVER_READY"');
      if (isReady) resolve();
    });
  });
  const ended = once(wrangler, "exit").then(() => {
    throw new Failure(
      "The local server ended before it was ready. See the output of wrangler for the reason.",
    );
  });
  await Promise.race([listening, ended]);
}

/** Checks the port first, because the error of wrangler does not say what to do. @throws Failure */
export async function assertPortIsFree(port: number): Promise<void> {
  for (const host of ["127.0.0.1", "::1"]) {
    const code = await listenOnce(port, host).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code === "EADDRINUSE") {
      throw new Failure(
        `Port ${port} is already in use by another program. End that program or choose another port: npm run dev -- --port ${port < 65535 ? port + 1 : port - 1}`,
      );
    }
    if (code === "EACCES") {
      throw new Failure(
        `The current user is not allowed to open port ${port}. Choose a port above 1023: npm run dev -- --port 8787`,
      );
    }
    // Any other error means that the machine has no addresses of this kind (IPv4 or IPv6).
  }
}

/**
 * Finds a port that is free and very likely stays free until a server opens it some seconds later.
 * It is below the range from which systems assign ports to programs that ask for any port (Linux from
 * 32768, others from 49152), because wrangler asks for several of those while it starts.
 *
 * @param except a port that the caller has already chosen for something else
 */
export async function freePort(except?: number): Promise<number> {
  const port = randomInt(10_000, 30_000);
  if (port === except) return freePort(except);
  return assertPortIsFree(port).then(
    () => port,
    () => freePort(except),
  );
}

async function listenOnce(port: number, host: string): Promise<void> {
  const server = createServer().listen(port, host);
  await once(server, "listening");
  server.close();
  await once(server, "close");
}
