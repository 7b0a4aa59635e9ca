import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readFile, realpath, rename, rm, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseEnv } from "node:util";
import { unwrapSecret } from "../../oauth/secret-floor.ts";
import { Failure } from "../failure.ts";
import { BASE_FILE, SETTINGS_FILE } from "../local/settings-file.ts";
import { quote } from "../shell.ts";
import type { SecretStore } from "./secret-store.ts";

/** Only the owner may read the file, because it has private keys. */
const OWNER_ONLY = 0o600;

/** In the order of preference: in single quotes, a parser changes nothing. */
const quotationMarks = ["'", "`", '"'];

/**
 * The secrets of a local server, in a `.dev.vars` file. A change keeps every other byte of the file, and is made in one
 * step: a reader sees the old file or the new one.
 */
export class DevVarsSecrets implements SecretStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  describe(): string {
    return basename(this.#path);
  }

  putCommand(name: string, generator: string): string {
    return `echo "${name}='$(${generator})'" >> ${this.#fileAndReload()}`;
  }

  deleteCommand(name: string): string {
    return `sed -i '/^${name}=/d' ${this.#fileAndReload()}`;
  }

  #fileAndReload(): string {
    const files = this.#configurations().map((path) => basename(path));
    return `${quote(basename(this.#path))}; touch ${files.join(" ")}`;
  }

  /** A name without a value is not set. */
  async names(): Promise<string[]> {
    const variables = parseEnv((await this.#read()) ?? "");
    return Object.keys(variables).filter(
      (name) => unwrapSecret(variables[name] ?? "") !== "",
    );
  }

  async put(name: string, value: string): Promise<void> {
    const text = (await this.#read()) ?? "";
    const before = withoutVariable(text, name);
    const end = lineEnd(before);
    const start =
      before === "" || before.endsWith("\n") ? before : before + end;
    const after = quotationMarks
      .map((mark) => `${start}${name}=${mark}${value}${mark}${end}`)
      .find((candidate) => differsOnlyIn(name, text, candidate, value));
    if (after === undefined)
      throw new Failure(
        `${name} could not be added to ${this.#path}: either the file ends inside a quoted value, or the value has a line break or every kind of quotation mark in it. The file was not changed.`,
      );
    await this.#write(after);
    await this.announce();
  }

  async delete(name: string): Promise<void> {
    const text = (await this.#read()) ?? "";
    if (parseEnv(text)[name] === undefined)
      throw new Failure(`${this.#path} has no ${name}.`);
    const after = withoutVariable(text, name);
    if (!differsOnlyIn(name, text, after, undefined))
      throw new Failure(
        `${name} could not be found for certain in ${this.#path}, so the file was not changed. Remove it with an editor.`,
      );
    await this.#write(after);
    await this.announce();
  }

  /**
   * Makes a running `wrangler dev` read the file again. It watches its configuration file alone, so that gets a new time
   * of change: wrangler.toml with `npm run dev`, and wrangler.json, if setup has made it, without.
   */
  async announce(): Promise<void> {
    const now = new Date();
    for (const path of this.#configurations())
      await utimes(path, now, now).catch(() => undefined);
  }

  #configurations(): string[] {
    const [base, own] = [BASE_FILE, SETTINGS_FILE].map((name) =>
      join(dirname(this.#path), name),
    ) as [string, string];
    return existsSync(own) ? [base, own] : [base];
  }

  async #read(): Promise<string | undefined> {
    try {
      return await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new Failure(
        `Cannot read ${this.#path}: ${(error as Error).message}.`,
      );
    }
  }

  /** Writes a file beside the old one and puts it in its place. Where the path is a link, the link stays. */
  async #write(text: string): Promise<void> {
    const path = await realpath(this.#path).catch(() => this.#path);
    // Git ignores `.dev.vars.*`.
    const fresh = `${path}.${randomUUID()}`;
    try {
      const file = await open(fresh, "wx", OWNER_ONLY);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, path);
    } catch (error) {
      await rm(fresh, { force: true });
      throw new Failure(
        `Cannot write ${this.#path}: ${(error as Error).message}. It was not changed.`,
      );
    }
  }
}

/** The end of a line as the text has it, so that a file of Windows stays one. */
function lineEnd(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

/** Removes every assignment of a variable, with its lines: a value in quotation marks may have several. */
function withoutVariable(text: string, name: string): string {
  const assignment = new RegExp(
    String.raw`^[^\S\r\n]*(?:export[^\S\r\n]+)?${name}[^\S\r\n]*=[^\S\r\n]*(?:(["'\x60])[^]*?\1)?.*(?:\r?\n|$)`,
    "gm",
  );
  return text.replaceAll(assignment, "");
}

/** Tells whether the change of the text sets one variable (undefined: removes it) and leaves all others as they are. */
function differsOnlyIn(
  name: string,
  before: string,
  after: string,
  value: string | undefined,
): boolean {
  const [old, changed] = [parseEnv(before), parseEnv(after)];
  const others = new Set([...Object.keys(old), ...Object.keys(changed)]);
  others.delete(name);
  return (
    changed[name] === value &&
    [...others].every((other) => old[other] === changed[other])
  );
}
