import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { envLines, freshSecrets } from "../../src/cli/local/dev-vars.ts";
import {
  freePort,
  localUrl,
  projectDirectory,
  whenListening,
} from "../../src/cli/local/wrangler.ts";

/** The script itself, so that a signal reaches it without a shell in between. */
const wranglerScript = join(
  dirname(createRequire(import.meta.url).resolve("wrangler/package.json")),
  "bin/wrangler.js",
);

/**
 * Baton and the example sign-in page, each in its own `wrangler dev`, as on a developer's machine. They find
 * each other by wrangler's registry. State, secrets and registry are removed at the end.
 */
export class SideBySide {
  readonly baton: string;
  readonly login: string;
  readonly secrets = freshSecrets();
  readonly sessionSecret = randomBytes(32).toString("base64url");
  /** The output of both so far. */
  output = "";
  readonly #directory = mkdtempSync(join(tmpdir(), "baton-login-"));
  readonly #processes: ChildProcess[] = [];

  /** Chooses the ports. `start` starts both. */
  static async prepare(): Promise<SideBySide> {
    const port = await freePort();
    return new SideBySide(port, await freePort(port));
  }

  private constructor(batonPort: number, loginPort: number) {
    this.baton = localUrl(batonPort);
    this.login = localUrl(loginPort);
    process.once("exit", this.#cleanUp);
  }

  /** Resolves when both are up and connected. */
  async start(): Promise<void> {
    mkdirSync(this.#inside("tmp"));
    const batonSecrets = this.#secretsFile("baton", envLines(this.secrets));
    await this.#dev(this.baton, "wrangler.toml", "src/index.ts", [
      ["--var", `ISSUER:${this.baton}`, `LOGIN_URL:${this.login}/`],
      ["--var", `LOGOUT_URL:${this.login}/sign-out`],
      ["--env-file", batonSecrets],
    ]);
    // Started second, because a Worker connects when it starts to what is in the registry then.
    const entry = "test/login/example/index.tsx";
    const secret = `SESSION_SECRET=${this.sessionSecret}\n`;
    await this.#dev(this.login, "test/login/example/wrangler.toml", entry, [
      ["--env-file", this.#secretsFile("login", secret)],
    ]);
  }

  /** Writes secrets to a file that only the owner can read. @returns its path */
  #secretsFile(name: string, lines: string): string {
    const path = this.#inside(`${name}.env`);
    writeFileSync(path, lines, { mode: 0o600 });
    return path;
  }

  #inside(name: string): string {
    return join(this.#directory, name);
  }

  async #dev(
    url: string,
    config: string,
    entry: string,
    more: string[][],
  ): Promise<void> {
    const { port } = new URL(url);
    const command = [
      [wranglerScript, "dev", join(projectDirectory, entry)],
      ["--config", join(projectDirectory, config)],
      ["--port", port],
      ["--show-interactive-dev-session", "false"],
      ["--persist-to", this.#inside(`state-${port}`)],
      ...more,
    ];
    const wrangler = spawn(process.execPath, command.flat(), {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Wrangler puts its build here.
      cwd: this.#directory,
      // A separate process group, so that all its processes can be killed.
      detached: true,
      env: {
        ...process.env,
        TMPDIR: this.#inside("tmp"),
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        WRANGLER_CACHE_DIR: this.#inside("cache"),
        WRANGLER_LOG_PATH: this.#inside("logs"),
        WRANGLER_REGISTRY_PATH: this.#inside("registry"),
      },
    });
    this.#processes.push(wrangler);
    for (const stream of [wrangler.stdout, wrangler.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    await whenListening(wrangler).catch((cause: unknown) => {
      throw new Error(this.output, { cause });
    });
  }

  /** Kills both and removes their files. */
  async stop(): Promise<void> {
    const gone = this.#processes
      .filter(({ exitCode, signalCode }) => (exitCode ?? signalCode) === null)
      .map((wrangler) => once(wrangler, "close"));
    this.#cleanUp();
    await Promise.all(gone);
    process.off("exit", this.#cleanUp);
  }

  /** Synchronous, because asynchronous work does not run when the process exits. */
  readonly #cleanUp = (): void => {
    for (const { pid } of this.#processes) {
      try {
        if (pid !== undefined) process.kill(-pid, "SIGKILL");
      } catch {
        // The group is gone already.
      }
    }
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20 });
  };
}
