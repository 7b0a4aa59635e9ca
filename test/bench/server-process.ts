import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { sum } from "./statistics.ts";

/** How long a server may take until it answers. Generous, because a busy machine is slow. */
const START_MS = 30_000;
/** How long a server may take to stop after SIGTERM. */
const STOP_MS = 5_000;
/** How many lines of its log an error message shows. */
const LOG_LINES = 8;
/** The unit of `/proc/PID/stat`: Linux counts CPU time in hundredths of a second (proc(5), USER_HZ). */
const TICKS_PER_SECOND = 100;

export interface ServerCommand {
  command: string;
  args: string[];
  env?: Record<string, string>;
  port: number;
  /** A path that the server answers, with any status, as soon as it is up. */
  up: string;
  /** The folder for the server's data and its log. */
  folder: string;
}

/** One server, which is one process. Measures its CPU time and memory, and stops it. */
export class ServerProcess {
  static readonly #running = new Set<ServerProcess>();
  readonly url: string;
  /** The folder for the server's data and its log. */
  readonly folder: string;
  /** How it was started, so that it can be started again with the same data. */
  readonly command: ServerCommand;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(
    child: ChildProcess,
    url: string,
    command: ServerCommand,
  ) {
    this.url = url;
    this.folder = command.folder;
    this.command = command;
    this.#child = child;
    this.#ended = once(child, "exit");
    // However the benchmark ends, the server ends with it.
    const killed = () => child.kill("SIGKILL");
    process.once("exit", killed);
    ServerProcess.#running.add(this);
    child.once("exit", () => {
      process.removeListener("exit", killed);
      ServerProcess.#running.delete(this);
    });
  }

  /** Starts a server and waits until it answers. @throws Error with the end of its log if it does not */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    if (await isUp(urlOf(command)))
      throw new Error(`Port ${command.port} is in use`);
    const server = ServerProcess.spawn(command);
    const { url } = server;
    const deadline = performance.now() + START_MS;
    while (!(await isUp(url + command.up)) || server.#hasEnded) {
      if (server.#hasEnded || performance.now() > deadline) {
        await server.kill();
        throw new Error(
          `${command.command} did not start. Its log ends:\n${server.logEnd()}`,
        );
      }
      await sleep(20);
    }
    return server;
  }

  /** Starts a server and does not wait for it. Nobody has sent it a request when this returns. */
  static spawn(command: ServerCommand): ServerProcess {
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
    return new ServerProcess(child, urlOf(command), command);
  }

  /** Kills all servers that are still running. */
  static async killAll(): Promise<void> {
    const running = Array.from(ServerProcess.#running);
    await Promise.all(running.map((server) => server.kill()));
  }

  /** CPU time of all its threads so far, in seconds. */
  async cpuSeconds(): Promise<number> {
    const stat = await readFile(`/proc/${this.#child.pid}/stat`, "utf8");
    // Split after the name, which may contain any character. utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /**
   * CPU time of its threads so far, in milliseconds. It is exact to a microsecond, and lacks the threads that
   * have ended. A start takes a few hundredths of a second, which `cpuSeconds` cannot tell apart.
   */
  cpuMilliseconds(): number {
    // Read without a pause, so that little CPU time passes between the first thread and the last.
    const tasks = `/proc/${this.#child.pid}/task`;
    const times = readdirSync(tasks).map((thread) => {
      // The first field is the time on a CPU in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst).
      const [spent] = readFileSync(
        `${tasks}/${thread}/schedstat`,
        "utf8",
      ).split(" ");
      return Number(spent) / 1e6;
    });
    return sum(times);
  }

  /** Its resident memory now, in bytes. */
  async memory(): Promise<number> {
    const status = await readFile(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** The files that it has open now, by path. */
  openFiles(): Set<string> {
    const folder = `/proc/${this.#child.pid}/fd`;
    const files = new Set<string>();
    for (const descriptor of readdirSync(folder)) {
      try {
        files.add(readlinkSync(join(folder, descriptor)));
      } catch {
        // It was closed meanwhile.
      }
    }
    return files;
  }

  /** The last lines of its log. */
  logEnd(): string {
    const lines = readFileSync(logIn(this.folder), "utf8").split("\n");
    return lines.slice(-LOG_LINES - 1).join("\n");
  }

  /** Stops it with SIGTERM, as a deployment does. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill("SIGTERM");
    const timeout = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.#ended;
    clearTimeout(timeout);
  }

  /** Kills it with SIGKILL, which acts like a crash. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

function urlOf({ port }: ServerCommand): string {
  return `http://127.0.0.1:${port}`;
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
    // It is not listening yet.
    return false;
  }
}
