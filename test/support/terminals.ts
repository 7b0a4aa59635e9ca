import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { localUrl, projectDirectory } from "../../src/cli/local/wrangler.ts";

/**
 * The terminals of a reader who pastes commands that serve: in a copy of the project, so that nothing of the developer
 * is changed. Their Workers find each other by wrangler's registry. All of it is removed at the end.
 */
export class Terminals {
  /** The output of all of them so far. */
  output = "";
  readonly #directory = mkdtempSync(join(tmpdir(), "baton-terminals-"));
  readonly #processes: ChildProcess[] = [];
  /** The copy of the project. */
  readonly project = this.inside("project");

  /** @param names what is copied, besides the sources */
  constructor(...names: string[]) {
    process.once("exit", this.#cleanUp);
    mkdirSync(this.inside("tmp"));
    // A developer may have secrets there. The copy gets its own.
    const filter = (file: string) => !/\.dev\.vars|\.wrangler/.test(file);
    const sources = ["src", "wrangler.toml", "package.json", "tsconfig.json"];
    for (const name of [...sources, ...names]) {
      const [from, to] = [projectDirectory, this.project];
      cpSync(join(from, name), join(to, name), { recursive: true, filter });
    }
    const libraries = "node_modules";
    symlinkSync(
      join(projectDirectory, libraries),
      join(this.project, libraries),
    );
  }

  /** Returns the path of a file that is removed at the end. */
  inside(name: string): string {
    return join(this.#directory, name);
  }

  /** Reads the secrets that the commands have made in a folder of the project. */
  secretsIn(folder: string): NodeJS.Dict<string> {
    const path = join(this.project, folder, ".dev.vars");
    return parseEnv(readFileSync(path, "utf8"));
  }

  /**
   * Pastes commands into a new terminal. The last one serves. Resolves when it does.
   *
   * @param port the port of the server, in place of its own
   * @param folder the folder in which the reader stands
   */
  async paste(
    commands: string,
    port: number,
    folder = this.project,
  ): Promise<void> {
    const onPort = commands
      .replace(/^npm run dev(?: --)?/m, `npm run dev -- --port ${port}`)
      .replace(
        /^npx wrangler dev(?: --port \d+)?/m,
        `npx wrangler dev --port ${port}`,
      );
    const terminal = spawn("bash", ["--norc", "-euc", onPort], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: folder,
      // A separate process group, so that all its processes can be killed.
      detached: true,
      env: {
        ...process.env,
        ...withoutNpm(),
        NO_COLOR: "1",
        TMPDIR: this.inside("tmp"),
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        WRANGLER_CACHE_DIR: this.inside("cache"),
        WRANGLER_LOG_PATH: this.inside("logs"),
        WRANGLER_REGISTRY_PATH: this.inside("registry"),
      },
    });
    this.#processes.push(terminal);
    let output = "";
    const ready = new Promise<void>((resolve) => {
      for (const stream of [terminal.stdout, terminal.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => {
          this.output += text;
          output += text;
          if (output.includes(`Ready on ${localUrl(port)}`)) resolve();
        });
    });
    const ended = once(terminal, "exit").then(() => {
      throw new Error(output);
    });
    await Promise.race([ready, ended]);
  }

  /** Kills all of them, and removes their files. */
  async stop(): Promise<void> {
    const gone = this.#processes
      .filter(({ exitCode, signalCode }) => (exitCode ?? signalCode) === null)
      .map((terminal) => once(terminal, "close"));
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

/** Removes the variables that npm sets for a script: they are not there in a reader's terminal, and change what npx does. */
function withoutNpm(): Record<string, undefined> {
  const names = Object.keys(process.env).filter((name) => /^npm_/i.test(name));
  return Object.fromEntries(names.map((name) => [name, undefined]));
}
