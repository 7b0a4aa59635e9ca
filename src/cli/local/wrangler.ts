import {
  type ChildProcess,
  spawn,
  type SpawnOptions,
} from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { constants } from "node:os";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { Failure } from "../failure.ts";

/** Where wrangler.toml is. */
export const projectDirectory = resolve(import.meta.dirname, "../../..");

/** The variables of a developer's machine, kept out of the repository. */
export const devVarsPath = join(projectDirectory, ".dev.vars");

/** The Worker with the sign-in page for development; `wrangler.toml` names the one that is deployed. */
const localEntry = join(projectDirectory, "src/dev/index.ts");

/** The script itself, not what npm puts before it: signals then reach it without a shell between. */
const wranglerScript = join(
  dirname(createRequire(import.meta.url).resolve("wrangler/package.json")),
  "bin/wrangler.js",
);

/** What a terminal or a supervisor ends a program with. */
const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** How often is looked whether npm's shell is still there. */
const ORPHAN_CHECK_MS = 500;

/**
 * Calls `end` when this process is to end. A signal sent to `npm run` ends npm and the shell between,
 * but the shell does not pass it on: all that can be noticed here is that the parent is another one.
 */
export function onEnd(end: (signal: NodeJS.Signals) => void): void {
  for (const signal of endSignals) process.on(signal, () => end(signal));
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    end("SIGTERM");
  }, ORPHAN_CHECK_MS);
  check.unref();
}

/** What a shell reports for a program that a signal has ended. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

export function localUrl(port: number): string {
  return `http://localhost:${port}`;
}

/**
 * Starts `wrangler dev` as a child process. `stdio` has to have an `ipc` channel: through it comes
 * the word that the server is up.
 *
 * @param wranglerOptions options of wrangler; in case of doubt they win over ours
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
  const ours = [localEntry, "--port", String(port)];
  // Where one signs in is a page of the server itself, which only a local one has.
  const variables = [`ISSUER:${url}`, `LOGIN_URL:${url}/dev/login`];
  ours.push(...variables.flatMap((variable) => ["--var", variable]));
  return spawn(
    process.execPath,
    [wranglerScript, "dev", ...ours, ...wranglerOptions],
    {
      cwd: projectDirectory,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", ...env },
      ...options,
    },
  );
}

/** Resolves when the server takes connections, rejects when wrangler ends before. */
export async function whenListening(wrangler: ChildProcess): Promise<void> {
  const listening = new Promise<void>((resolve) => {
    wrangler.on("message", (message) => {
      const isWord =
        typeof message === "string" && message.includes('"DEV_SERVER_READY"');
      if (isWord) resolve();
    });
  });
  const ended = once(wrangler, "exit").then(() => {
    throw new Failure("The local server ended before it was up.");
  });
  await Promise.race([listening, ended]);
}

/** Fails in plain words where wrangler would in its own. @throws Failure */
export async function assertPortIsFree(port: number): Promise<void> {
  for (const host of ["127.0.0.1", "::1"]) {
    const code = await listenOnce(port, host).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code === "EADDRINUSE") {
      throw new Failure(
        `Port ${port} is in use by another program. End that one, or take another port: npm run dev -- --port ${port < 65535 ? port + 1 : port - 1}`,
      );
    }
    if (code === "EACCES") {
      throw new Failure(
        `This user may not open port ${port}. Take one above 1023: npm run dev -- --port 8787`,
      );
    }
    // Anything else says that the machine lacks this kind of address.
  }
}

/**
 * A port that nothing else uses, and that stays so until a server opens it some seconds later: not one
 * of those that a system hands to whoever asks for any (Linux from 32768 on, others from 49152), as
 * wrangler does several times while it starts.
 *
 * @param but a port that is spoken for
 */
export async function freePort(but?: number): Promise<number> {
  const port = randomInt(10_000, 30_000);
  if (port === but) return freePort(but);
  return assertPortIsFree(port).then(
    () => port,
    () => freePort(but),
  );
}

async function listenOnce(port: number, host: string): Promise<void> {
  const server = createServer().listen(port, host);
  await once(server, "listening");
  server.close();
  await once(server, "close");
}
