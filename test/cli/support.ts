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
import { LocalServer } from "../../src/cli/local/local-server.ts";

/** The command line by its public door: the scripts, as processes of their own. */

const project = resolve(import.meta.dirname, "../..");

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  env?: NodeJS.Dict<string>;
  /** The checkout whose scripts are run. */
  directory?: string;
  /** By `npm run`, as people do it. */
  npm?: boolean;
}

/** Starts a script; nothing of the developer's own settings reaches it. */
export function start(
  script: "baton" | "demo" | "dev",
  args: string[],
  { env, directory = project, npm = false }: Surroundings = {},
) {
  const {
    BATON_URL: _url,
    BATON_ADMIN_TOKEN: _token,
    FORCE_COLOR: _color,
    ...inherited
  } = process.env;
  const [command, first] = npm
    ? ["npm", ["run", "--silent", script, "--"]]
    : [process.execPath, [join(directory, `src/cli/${script}.ts`)]];
  const child = spawn(command, [...first, ...args], {
    cwd: directory,
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
    });
  }
  const closed = once(child, "close");
  return {
    child,
    /** Resolves when its standard output has this text. */
    async says(text: string): Promise<void> {
      const isEnd = closed.then(() => "ended" as const);
      while (!output.stdout.includes(text)) {
        const next = await Promise.race([once(child.stdout, "data"), isEnd]);
        if (next === "ended" && !output.stdout.includes(text))
          throw new Error(`It never said "${text}": ${output.stderr}`);
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
  surroundings?: Surroundings,
): Promise<Outcome> {
  return start(script, args, surroundings).outcome();
}

/** Arguments; those that belong together may stand together. */
export type Args = (string | string[])[];

/** `baton` against a server, with its admin token. */
export interface Baton {
  readonly server: LocalServer;
  run(...args: Args): Promise<Outcome>;
  /** Runs it with --json and parses what it prints. */
  json(...args: Args): Promise<unknown>;
}

/** One server for the tests of a file. Their names and ids are their own: see `fresh`. */
export function batonWithServer(): Baton {
  let server: LocalServer | undefined;
  beforeAll(async () => {
    server = await LocalServer.launch();
    await server.ready();
  });
  afterAll(() => server?.stop());
  return {
    get server() {
      if (!server) throw new Error("the server is started before the tests");
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

/** A name that no other test of the file uses. */
export function fresh(kind: string): string {
  names += 1;
  return `${kind}-${names}`;
}

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "baton-test-")));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** What the scripts need of the project, where they may write: the developer's files stay untouched. */
export function temporaryProject(): string {
  const directory = temporaryDirectory();
  for (const name of ["src", "wrangler.toml", "package.json", "tsconfig.json"])
    cpSync(join(project, name), join(directory, name), { recursive: true });
  symlinkSync(join(project, "node_modules"), join(directory, "node_modules"));
  mkdirSync(join(directory, "tmp"));
  return directory;
}

/** An HTTP server that answers as told, for what Baton itself never does. */
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
    throw new Error("a TCP server has a port");
  return { port: address.port, requests, connections: () => connections };
}

/** The live processes whose command line or environment has this text. */
export function processesWith(text: string): string[] {
  return execFileSync("ps", ["axeww", "-o", "stat=,pid=,args="], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  })
    .split("\n")
    .filter((line) => line.includes(text) && !line.trimStart().startsWith("Z"));
}
