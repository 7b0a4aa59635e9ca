import { execFile } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const project = resolve(import.meta.dirname, "../..");

/** A shell in which the commands of docs/incidents.md are typed. */
export interface Terminal {
  /** The folder in which it stands. It is empty at first. */
  directory: string;
  /** The environment of the next command. An `export` of a command is kept. */
  env: Record<string, string>;
  /**
   * Types commands of the page. The answer to every question is yes.
   *
   * @param own what to type in place of the page's examples
   * @returns the output. @throws Error if a command fails
   */
  type(commands: string, own?: Record<string, string>): Promise<string>;
  close(): void;
}

/** How the commands of the page are run on this machine. */
interface Stage {
  env: Record<string, string>;
  /** The checkout whose command line and `.dev.vars` are used. */
  checkout?: string;
  /** More options for commands, by their first two words. */
  options?: Record<string, string>;
}

/** The answers to the questions of the command line, which are asked on a terminal alone. */
const answers = { "clients delete": "--yes" };

/** Opens a shell that has stand-ins for npm and npx: one needs no second to start, and the other no account. */
export function openTerminal({
  env,
  checkout = project,
  options = {},
}: Stage): Terminal {
  const home = mkdtempSync(join(tmpdir(), "baton-incidents-"));
  const bin = join(home, "bin");
  const directory = join(home, "here");
  mkdirSync(bin);
  mkdirSync(directory);
  const cases = Object.entries({ ...answers, ...options }).map(
    ([command, more]) => `"${command}") set -- "$@" ${more} ;;`,
  );
  const scripts = {
    // `npm run [-s] baton -- COMMAND`
    npm: `[ "$1" = run ] && shift; [ "$1" = -s ] && shift
[ "$1 $2" = "baton --" ] || exit 64
shift 2
case "$1 $2" in
${cases.join("\n")}
esac
exec "${process.execPath}" "${checkout}/src/cli/baton.ts" "$@"`,
    // `npx wrangler secret put NAME`
    npx: `[ "$1 $2 $3" = "wrangler secret put" ] || exit 64
exec "${process.execPath}" "${import.meta.dirname}/put-secret.ts" "${checkout}/.dev.vars" "$4"`,
  };
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const PATH = `${bin}:${process.env["PATH"]}`;
  const terminal: Terminal = {
    directory,
    env,
    async type(commands, own = {}) {
      let script = commands;
      for (const [example, mine] of Object.entries(own))
        script = script.replaceAll(new RegExp(`\\b${example}\\b`, "g"), mine);
      const { stdout } = await promisify(execFile)(
        "bash",
        ["--norc", "-euo", "pipefail", "-c", `${script}\nenv > "$HOME/env"`],
        {
          cwd: directory,
          env: { ...process.env, HOME: home, PATH, ...terminal.env },
        },
      );
      const left = readFileSync(join(home, "env"), "utf8").split("\n");
      for (const line of left) {
        const [name = "", value = ""] = line.split(/=(.*)/s);
        if (name in terminal.env) terminal.env[name] = value;
      }
      return stdout;
    },
    close: () => rmSync(home, { recursive: true, force: true }),
  };
  return terminal;
}
