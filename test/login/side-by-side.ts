import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  freePort,
  localUrl,
  projectDirectory,
  wranglerScript,
} from "../../src/cli/local/wrangler.ts";
import { blocks } from "../support/markdown.ts";
import { Terminals } from "../support/terminals.ts";

/** The folder of the example. */
const EXAMPLE = "test/login/example";

/** Baton and the example login, started with the commands of docs/login.md, but on free ports. */
export class SideBySide {
  readonly baton: string;
  readonly login: string;
  readonly #ports: { baton: number; login: number };
  readonly #terminals = new Terminals(EXAMPLE);

  /** Chooses the ports. `start` starts both. */
  static async prepare(): Promise<SideBySide> {
    const baton = await freePort();
    return new SideBySide({ baton, login: await freePort(baton) });
  }

  private constructor(ports: { baton: number; login: number }) {
    this.#ports = ports;
    this.baton = localUrl(ports.baton);
    this.login = localUrl(ports.login);
  }

  /** The secrets of Baton. */
  get secrets(): { ADMIN_TOKEN: string } {
    const { ADMIN_TOKEN = "" } = this.#terminals.secretsIn(".");
    return { ADMIN_TOKEN };
  }

  /** The secret of the example. */
  get sessionSecret(): string {
    return this.#terminals.secretsIn(EXAMPLE)["SESSION_SECRET"] ?? "";
  }

  /** The output of both so far. */
  get output(): string {
    return this.#terminals.output;
  }

  /**
   * Writes records into the KV of Baton, which no operation of it would write, and lets clients come by their metadata
   * documents. Before `start`.
   */
  async seed(records: Record<string, object>): Promise<void> {
    const pairs = Object.entries(records).map(([key, record]) => ({
      key,
      value: JSON.stringify(record),
    }));
    const settings = join(this.#terminals.project, "wrangler.toml");
    const name = "CLIENT_ID_METADATA_DOCUMENTS";
    writeFileSync(
      settings,
      readFileSync(settings, "utf8").replace(`${name} = ""`, `${name} = "on"`),
    );
    const file = this.#terminals.inside("records.json");
    writeFileSync(file, JSON.stringify(pairs));
    const put = ["kv", "bulk", "put", file, "--local", "--binding", "KV"];
    await promisify(execFile)(process.execPath, [wranglerScript, ...put], {
      cwd: this.#terminals.project,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    });
  }

  /** Resolves when both are up and connected. */
  async start(): Promise<void> {
    const page = readFileSync(join(projectDirectory, "docs/login.md"), "utf8");
    const [baton, login, ...others] = blocks(page, "Try the example", "sh").map(
      (commands) =>
        commands
          .replaceAll("http://localhost:8787", this.baton)
          .replaceAll("http://localhost:8788", this.login),
    );
    if (baton === undefined || login === undefined || others.length > 0)
      throw new Error("The page needs a block for each of the two terminals.");
    await this.#terminals.paste(baton, this.#ports.baton);
    // Started second, because a Worker connects when it starts to what is in the registry then.
    await this.#terminals.paste(login, this.#ports.login);
  }

  stop(): Promise<void> {
    return this.#terminals.stop();
  }
}
