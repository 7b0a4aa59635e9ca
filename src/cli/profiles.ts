import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { unwrapSecret } from "../oauth/secret-floor.ts";
import { Failure, UsageError } from "./failure.ts";
import { quote } from "./shell.ts";

/*
 * A profile is an environment by name: which server it is, and where its admin token comes from. The file is in the
 * user's own folder and not in the project, because a file in a checkout could send the token to another server.
 */

/** Only the owner may read the file, because it may have admin tokens. */
const OWNER_ONLY = 0o600;

/** The name is also a part of the name of an environment variable, so that no two names share one. */
const namePattern = /^[a-z][a-z0-9-]{0,31}$/;

const profileSchema = z.strictObject({
  /** An origin. */
  url: z.string(),
  /** Left out: the token is only in the environment. */
  token: z.string().optional(),
  /** The environment of the settings (`env.NAME`) that belongs to the server. Left out: the top of the file. */
  wrangler_env: z.string().optional(),
});
const fileSchema = z.strictObject({
  profiles: z.record(z.string().regex(namePattern), profileSchema),
});

export type Profile = z.output<typeof profileSchema>;

/** The path of the file (XDG Base Directory Specification; on Windows the folder for settings of programs). */
export function profilesPath(environment: NodeJS.Dict<string>): string {
  const { XDG_CONFIG_HOME, APPDATA } = environment;
  const folder = XDG_CONFIG_HOME || APPDATA || join(homedir(), ".config");
  return join(folder, "baton", "profiles.json");
}

/** The environment variable with the token of a profile. It takes precedence over the file. */
export function tokenVariable(name: string): string {
  return `BATON_ADMIN_TOKEN_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** @throws UsageError if the name cannot be that of a profile */
export function checkName(name: string): void {
  if (namePattern.test(name)) return;
  throw new UsageError(
    `"${name}" cannot be the name of a profile. A name has at most 32 lower-case letters, digits and hyphens, and begins with a letter, such as production.`,
  );
}

/** Reads all profiles, by name. @throws Failure if the file can't be read, or if others may read it */
export async function readProfiles(
  path: string,
): Promise<Record<string, Profile>> {
  const text = await readOwnFile(path);
  if (text === undefined) return {};
  const { data } = fileSchema.safeParse(parseJson(text));
  if (data) return data.profiles;
  throw new Failure(
    `${path} is not a file of profiles. Correct it, or delete it and add the profiles again with \`npm run baton -- profiles add\`.`,
  );
}

/** Reads a profile. @throws Failure if there is none with this name */
export async function readProfile(
  name: string,
  environment: NodeJS.Dict<string>,
): Promise<Profile> {
  checkName(name);
  const profiles = await readProfiles(profilesPath(environment));
  const profile = profiles[name];
  if (profile) return profile;
  const names = Object.keys(profiles);
  const known =
    names.length === 0
      ? "There are no profiles yet."
      : `There are: ${names.join(", ")}.`;
  throw new Failure(
    `There is no profile ${name}. ${known} To add it: \`npm run baton -- profiles add ${name} --url https://auth.example.com\`.`,
  );
}

/** Returns the admin token of a profile, and where it comes from. Undefined: it has none. */
export function tokenOf(
  name: string,
  { token = "" }: Profile,
  environment: NodeJS.Dict<string>,
): { token: string; tokenSource: string } | undefined {
  const variable = tokenVariable(name);
  const fromEnvironment = unwrapSecret(environment[variable] ?? "");
  if (fromEnvironment) return { token: fromEnvironment, tokenSource: variable };
  return token
    ? { token, tokenSource: `the token of the profile ${name}` }
    : undefined;
}

/**
 * Replaces all profiles. The file is written beside its place and then moved there, so that an interruption leaves
 * the old one or the new one.
 */
export async function writeProfiles(
  path: string,
  profiles: Record<string, Profile>,
): Promise<void> {
  const text = `${JSON.stringify({ profiles }, undefined, 2)}\n`;
  const written = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(written, text, { mode: OWNER_ONLY });
    await rename(written, path);
  } catch (error) {
    throw new Failure(`Cannot write ${path}: ${(error as Error).message}.`);
  }
}

/** @returns undefined if there is no file */
async function readOwnFile(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    // Windows has no such modes, and its folder of settings is the user's own.
    if (process.platform !== "win32" && (mode & 0o077) !== 0) {
      throw new Failure(
        `${path} is not used, because other users can read it and it may have admin tokens. To correct that: \`chmod 600 ${quote(path)}\`.`,
      );
    }
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Failure) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Failure(`Cannot read ${path}: ${(error as Error).message}.`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
