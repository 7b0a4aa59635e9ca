import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { bundleOf, copyBundle } from "../support/bundled-baton.ts";
import { PrebuiltServer } from "../support/prebuilt-server.ts";

/** Runs the scripts of the command line as separate processes, as a user does. `baton` is bundled. */

const project = resolve(import.meta.dirname, "../..");

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: NodeJS.Dict<string>;
  /** The checkout whose scripts are run. */
  directory?: string;
  /** Start the script with `npm run`, as people do. */
  npm?: boolean;
  /** Start the sources of `baton`, and not the bundle. */
  sources?: boolean;
  /** Start it in a process group of its own, as a shell does, so that Ctrl-C can be sent to the group. */
  group?: boolean;
  /** The folder in which the user stands. Left out: the checkout. */
  cwd?: string;
  /** Standard input. Left out: there is none. */
  input?: string;
}

/** Starts a script, without the developer's own settings from the environment. */
export function start(
  script: "baton" | "demo" | "dev",
  args: string[],
  {
    env,
    directory = project,
    npm = false,
    sources = false,
    group = false,
    cwd = directory,
    input,
  }: RunOptions = {},
) {
  const {
    BATON_URL: _url,
    BATON_ADMIN_TOKEN: _token,
    FORCE_COLOR: _color,
    ...inherited
  } = process.env;
  const file =
    script === "baton" && !sources
      ? bundleOf(directory)
      : join(directory, `src/cli/${script}.ts`);
  const [command, first] = npm
    ? ["npm", ["run", "--silent", script, "--"]]
    : [process.execPath, [file]];
  const child = spawn(command, [...first, ...args], {
    cwd,
    env: { ...inherited, ...env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: group,
  });
  child.stdin.end(input);
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  const closed = once(child, "close");
  return {
    child,
    /** What it has written so far. */
    output,
    /** Resolves when the text appears in standard output. */
    async waitForOutput(text: string): Promise<void> {
      const ended = closed.then(() => "ended" as const);
      while (!output.stdout.includes(text)) {
        const next = await Promise.race([once(child.stdout, "data"), ended]);
        if (next === "ended" && !output.stdout.includes(text))
          throw new Error(
            `The process ended without the output "${text}": ${output.stderr}`,
          );
      }
    },
    async outcome(): Promise<Outcome> {
      const [code] = await closed;
      return { code, ...output };
    },
  };
}

export function run(
  script: "baton" | "demo" | "dev",
  args: string[],
  options?: RunOptions,
): Promise<Outcome> {
  return start(script, args, options).outcome();
}

/** Arguments. An array groups the ones that belong together. */
export type Args = (string | string[])[];

/** Runs `baton` with the URL and the admin token of a server. */
export interface Baton {
  readonly server: PrebuiltServer;
  run(...args: Args): Promise<Outcome>;
  /** Adds --json and parses the output. @throws Error if the exit code is not 0 */
  json(...args: Args): Promise<unknown>;
}

/** One server for all tests of a file. `fresh` gives each test names that no other test uses. */
export function batonWithServer(): Baton {
  let server: PrebuiltServer | undefined;
  beforeAll(async () => {
    server = await PrebuiltServer.start();
  });
  afterAll(() => server?.stop());
  return {
    get server() {
      if (!server) throw new Error("the server is available only inside tests");
      return server;
    },
    run(...args) {
      return run("baton", args.flat(), {
        env: {
          BATON_URL: this.server.url,
          BATON_ADMIN_TOKEN: this.server.secrets.ADMIN_TOKEN,
        },
      });
    },
    async json(...args) {
      const { code, stdout, stderr } = await this.run(...args, "--json");
      if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
  };
}

let names = 0;

/** Returns a name that no other test of the file uses. */
export function fresh(kind: string): string {
  names += 1;
  return `${kind}-${names}`;
}

/** Creates a directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "baton-test-")));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * Copies the project, so that scripts can write files without changing those of the developer.
 *
 * @param directory is empty. Left out: one that is removed after the test
 */
export function temporaryProject(directory = temporaryDirectory()): string {
  for (const name of [
    "bin",
    "src",
    "wrangler.toml",
    "package.json",
    "tsconfig.json",
  ])
    cpSync(join(project, name), join(directory, name), { recursive: true });
  copyBundle(directory);
  symlinkSync(join(project, "node_modules"), join(directory, "node_modules"));
  mkdirSync(join(directory, "tmp"));
  return directory;
}

/** An HTTP server with the given responses, for responses that Baton itself never sends. */
export async function stubServer(
  respond: RequestListener,
): Promise<{ port: number; requests: string[]; connections: () => number }> {
  const requests: string[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    respond(request, response);
  });
  server.on("connection", () => {
    connections += 1;
  });
  server.listen(0);
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== "object" || address === null)
    throw new Error("the server has no TCP port");
  return { port: address.port, requests, connections: () => connections };
}

/** Lists the running processes whose command line or environment contains the text. */
export function processesWith(text: string): string[] {
  return execFileSync("ps", ["axeww", "-o", "stat=,pid=,args="], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  })
    .split("\n")
    .filter((line) => line.includes(text) && !line.trimStart().startsWith("Z"));
}
