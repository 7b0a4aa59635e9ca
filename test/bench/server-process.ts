import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";

/** How long a server may take until it answers; a busy machine is slow. */
const START_MS = 30_000;
/** How long one may take to go when it is asked to. */
const STOP_MS = 5_000;
/** As many as one wants to read. */
const LOG_LINES = 8;
/** Of `/proc/PID/stat`: Linux counts a process's time in hundredths of a second (proc(5), USER_HZ). */
const TICKS_A_SECOND = 100;

export interface ServerCommand {
  command: string;
  args: string[];
  env?: Record<string, string>;
  port: number;
  /** A path that is answered, whatever with, as soon as the server is up. */
  up: string;
  /** Where it keeps what it stores, and its log. */
  folder: string;
}

/** One server, which is one process: what it has used of the machine, and its end. */
export class ServerProcess {
  static readonly #running = new Set<ServerProcess>();
  readonly url: string;
  /** Where it keeps what it stores. */
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess, url: string, folder: string) {
    this.url = url;
    this.folder = folder;
    this.#child = child;
    this.#ended = once(child, "exit");
    // Whatever ends the benchmark: nothing of it goes on.
    const killed = () => child.kill("SIGKILL");
    process.once("exit", killed);
    ServerProcess.#running.add(this);
    child.once("exit", () => {
      process.removeListener("exit", killed);
      ServerProcess.#running.delete(this);
    });
  }

  /** @throws Error with the end of its log if it does not come up */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const url = `http://127.0.0.1:${command.port}`;
    if (await isUp(url)) throw new Error(`Port ${command.port} is taken`);
    const output = openSync(logIn(command.folder), "a");
    const environment: NodeJS.Dict<string> = {
      PATH: process.env.PATH,
      ...command.env,
    };
    const child = spawn(command.command, command.args, {
      stdio: ["ignore", output, output],
      env: environment as NodeJS.ProcessEnv,
    });
    closeSync(output);
    const server = new ServerProcess(child, url, command.folder);
    const deadline = performance.now() + START_MS;
    while (!(await isUp(url + command.up)) || server.#hasEnded) {
      if (server.#hasEnded || performance.now() > deadline) {
        await server.kill();
        throw new Error(
          `${command.command} does not come up. Its log ends:\n${server.logEnd()}`,
        );
      }
      await sleep(20);
    }
    return server;
  }

  /** Ends all that are left, whoever has started them. */
  static async killAll(): Promise<void> {
    const running = Array.from(ServerProcess.#running);
    await Promise.all(running.map((server) => server.kill()));
  }

  /** CPU time so far, of all its threads, in seconds. */
  async cpuSeconds(): Promise<number> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, "utf8");
    // Behind the name, which may hold anything: utime and stime are the 14th and 15th of all fields.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }

  /** The memory that it holds now, in bytes. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** The last lines that it has written. */
  logEnd(): string {
    const lines = readFileSync(logIn(this.folder), "utf8").split("\n");
    return lines.slice(-LOG_LINES - 1).join("\n");
  }

  /** Ends it as a deployment would. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill("SIGTERM");
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.#ended;
    clearTimeout(patience);
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

function logIn(folder: string): string {
  return join(folder, "server.log");
}

async function isUp(url: string): Promise<boolean> {
  try {
    const { body } = await request(url);
    await body.dump();
    return true;
  } catch {
    // Not listening yet.
    return false;
  }
}
