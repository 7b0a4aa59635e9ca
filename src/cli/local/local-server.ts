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

/** A slow machine needs a few seconds; what takes longer hangs. */
const START_MS = 60_000;
/** How long wrangler gets to end by itself. */
const STOP_MS = 5_000;

/**
 * A server with secrets and state of its own, for the demo and for tests. When it is stopped, or this
 * process ends in whatever way it can notice, neither a process nor a file of it is left.
 */
export class LocalServer {
  readonly url: string;
  readonly secrets: Secrets;
  readonly #port: number;
  readonly #directory: string;
  #wrangler: ChildProcess;
  #output = "";
  #stopped: Promise<void> | undefined;

  /** Starts it; `ready` tells when it is up. */
  static async launch(secrets = freshSecrets()): Promise<LocalServer> {
    return new LocalServer(await freePort(), secrets);
  }

  private constructor(port: number, secrets: Secrets) {
    this.url = localUrl(port);
    this.secrets = secrets;
    this.#port = port;
    this.#directory = mkdtempSync(join(tmpdir(), "baton-"));
    process.once("exit", this.#cleanUp);

    // A file, because anybody on the machine can read a command line.
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
      // The last one: it takes all that follows it for files.
      ["--env-file", this.#inside("secrets.env")],
    ];
    const wrangler = spawnWranglerDev(this.#port, options.flat(), {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Where wrangler puts its build, which it leaves behind when it is killed.
      cwd: this.#directory,
      // A process group of its own, so that all of it can be ended.
      detached: process.platform !== "win32",
      env: {
        TMPDIR: this.#inside("tmp"),
        // With the banner goes a look for updates at the registry.
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

  /** What wrangler and the server have written so far. */
  get output(): string {
    return this.#output;
  }

  /** Resolves when it answers. @throws Failure if it can't start */
  async ready(): Promise<void> {
    const signal = AbortSignal.timeout(START_MS);
    const late = once(signal, "abort").then(() => {
      throw new Failure(
        `The server was not up after ${START_MS / 1000} seconds.`,
      );
    });
    await Promise.race([whenListening(this.#wrangler), late]);
    const health = await fetch(`${this.url}/health`, { signal });
    if (!health.ok) {
      throw new Failure(
        `The server is up, but not well: ${await health.text()}`,
      );
    }
  }

  /**
   * Kills all of it at once (SIGKILL): whatever it was doing, it gets no chance to finish. What it has
   * written stays, for `startAgain`.
   */
  async crash(): Promise<void> {
    const gone = once(this.#wrangler, "close");
    this.#killGroup();
    await gone;
  }

  /** Starts it after a crash, on the port and the state that it had. @throws Failure as `ready` */
  async startAgain(): Promise<void> {
    if (this.#stopped) throw new Failure("The server has been stopped.");
    this.#wrangler = this.#spawn();
    await this.ready();
  }

  /** Ends it and removes everything of it. May be called at any time, and more than once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (this.#isRunning()) {
      const ended = once(this.#wrangler, "exit");
      this.#wrangler.kill("SIGTERM");
      // Unreferenced: once wrangler has ended, the timer must not keep this process.
      const late = sleep(STOP_MS, undefined, { ref: false });
      await Promise.race([ended, late]);
    }
    this.#cleanUp();
    process.off("exit", this.#cleanUp);
  }

  #isRunning(): boolean {
    return (
      this.#wrangler.exitCode === null && this.#wrangler.signalCode === null
    );
  }

  /** Synchronous, because nothing else has a chance when the process ends. */
  readonly #cleanUp = (): void => {
    this.#killGroup();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20 });
  };

  /** Wrangler ends its children itself; this is for the case that it could not. */
  #killGroup(): void {
    const { pid } = this.#wrangler;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group is gone already, as it should be, or the platform has none.
      this.#wrangler.kill("SIGKILL");
    }
  }
}
