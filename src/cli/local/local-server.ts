import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { envLines, freshSecrets, type Secrets } from "./dev-vars.ts";
import { Failure } from "../failure.ts";
import {
  freePort,
  localUrl,
  projectDirectory,
  spawnWranglerDev,
  whenListening,
} from "./wrangler.ts";

/** Even a slow machine starts the server in a few seconds. After this time, the start has failed. */
const START_TIMEOUT_MS = 60_000;
/** Time that wrangler gets to end by itself before it is killed. */
const STOP_TIMEOUT_MS = 5_000;

/**
 * A server with its own secrets and state, for the demo and for tests. Leaves no process and no file
 * when it is stopped, or when this process exits. (A process that is killed by SIGKILL cannot clean up.)
 */
export class LocalServer {
  readonly url: string;
  readonly secrets: Secrets;
  readonly #port: number;
  readonly #directory: string;
  #wrangler: ChildProcess;
  #output = "";
  #stopped: Promise<void> | undefined;

  /** Starts a server. Wait for `ready` before the first request. */
  static async launch(secrets = freshSecrets()): Promise<LocalServer> {
    return new LocalServer(await freePort(), secrets);
  }

  private constructor(port: number, secrets: Secrets) {
    this.url = localUrl(port);
    this.secrets = secrets;
    this.#port = port;
    this.#directory = mkdtempSync(join(tmpdir(), "baton-"));
    process.once("exit", this.#cleanUp);

    // In a file, because every user of the machine can read a command line.
    writeFileSync(this.#inside("secrets.env"), envLines(secrets), {
      mode: 0o600,
    });
    mkdirSync(this.#inside("tmp"));
    this.#wrangler = this.#spawn();
  }

  #inside(name: string): string {
    return join(this.#directory, name);
  }

  #spawn(): ChildProcess {
    const options = [
      ["--show-interactive-dev-session", "false"],
      ["--persist-to", this.#inside("state")],
      ["--config", join(projectDirectory, "wrangler.toml")],
      // Must be last, because wrangler reads every value after it as a file.
      ["--env-file", this.#inside("secrets.env")],
    ];
    const wrangler = spawnWranglerDev(this.#port, options.flat(), {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Wrangler writes its build here, and leaves it behind when it is killed.
      cwd: this.#directory,
      // A process group of its own, so that all its processes can be killed together.
      detached: process.platform !== "win32",
      env: {
        TMPDIR: this.#inside("tmp"),
        // With the banner, wrangler would also look for updates in the npm registry.
        WRANGLER_HIDE_BANNER: "true",
        WRANGLER_CACHE_DIR: this.#inside("cache"),
        WRANGLER_LOG_PATH: this.#inside("logs"),
        WRANGLER_REGISTRY_PATH: this.#inside("registry"),
      },
    });
    for (const stream of [wrangler.stdout, wrangler.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
      });
    }
    return wrangler;
  }

  /** The output of wrangler and the server so far: standard output and standard error. */
  get output(): string {
    return this.#output;
  }

  /** Resolves when the server can answer requests. @throws Failure if it cannot start */
  async ready(): Promise<void> {
    const signal = AbortSignal.timeout(START_TIMEOUT_MS);
    const timeout = once(signal, "abort").then(() => {
      throw new Failure(
        `The server did not start within ${START_TIMEOUT_MS / 1000} seconds.`,
      );
    });
    await Promise.race([whenListening(this.#wrangler), timeout]);
    const health = await fetch(`${this.url}/health`, {
      headers: { Authorization: `Bearer ${this.secrets.ADMIN_TOKEN}` },
      signal,
    });
    if (!health.ok) {
      throw new Failure(
        `The server started, but /health reports a problem: ${await health.text()}`,
      );
    }
  }

  /**
   * Kills all processes of the server with SIGKILL, so that nothing under way can finish. Keeps the
   * stored state for `startAgain`.
   */
  async crash(): Promise<void> {
    const closed = once(this.#wrangler, "close");
    this.#killGroup();
    await closed;
  }

  /** Starts the server after `crash`, with the same port and state. @throws Failure as `ready` */
  async startAgain(): Promise<void> {
    if (this.#stopped)
      throw new Failure("The server was stopped and cannot be started again.");
    this.#wrangler = this.#spawn();
    await this.ready();
  }

  /** Ends all processes and removes all files. May be called at any time and more than once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#isRunning()) {
      const ended = once(this.#wrangler, "exit");
      this.#wrangler.kill("SIGTERM");
      // Without a reference, because the timer must not keep this process alive after wrangler has ended.
      const timeout = sleep(STOP_TIMEOUT_MS, undefined, { ref: false });
      await Promise.race([ended, timeout]);
    }
    this.#cleanUp();
    process.off("exit", this.#cleanUp);
  }

  #isRunning(): boolean {
    return (
      this.#wrangler.exitCode === null && this.#wrangler.signalCode === null
    );
  }

  /** Synchronous, because Node waits for nothing else in an `exit` handler. */
  readonly #cleanUp = (): void => {
    this.#killGroup();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20 });
  };

  /** Kills what is left. Wrangler normally ends its children itself. */
  #killGroup(): void {
    const { pid } = this.#wrangler;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The process group has already ended, as it should, or the platform has no process groups.
      this.#wrangler.kill("SIGKILL");
    }
  }
}
