import { generateKeyPairSync, randomBytes } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { Failure } from "../failure.ts";

/** For the owner alone: the file holds private keys. */
const OWNER_ONLY = 0o600;

/** The server's secrets, and how a fresh one is made. */
const makers = {
  PRIVATE_KEY: () =>
    JSON.stringify(
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
        format: "jwk",
      }),
    ),
  ENCRYPTION_KEY: () => randomBytes(32).toString("base64"),
  ADMIN_TOKEN: () => randomBytes(32).toString("base64url"),
};

export type SecretName = keyof typeof makers;
export type Secrets = Record<SecretName, string>;

const secretNames = Object.keys(makers) as SecretName[];

export function freshSecrets(): Secrets {
  return {
    PRIVATE_KEY: makers.PRIVATE_KEY(),
    ENCRYPTION_KEY: makers.ENCRYPTION_KEY(),
    ADMIN_TOKEN: makers.ADMIN_TOKEN(),
  };
}

/** The lines of an env file. Single quotes keep a parser from touching the JSON of a key. */
export function envLines(secrets: Partial<Secrets>): string {
  return Object.entries(secrets)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join("");
}

/** What a `.dev.vars` says, or undefined if there is none. */
export async function readDevVars(
  path: string,
): Promise<NodeJS.Dict<string> | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : parseEnv(text);
}

/**
 * Makes sure that a `.dev.vars` has every secret that a local server needs. What the file has is left
 * as it is, byte for byte; what it lacks is appended.
 *
 * @returns the names of the secrets that were written
 * @throws Failure if the file is such that nothing can be appended to it
 */
export async function completeDevVars(path: string): Promise<SecretName[]> {
  const before = await readIfThere(path);
  const present = parseEnv(before ?? "");
  const lacking = secretNames.filter((name) => isLacking(name, present[name]));
  if (lacking.length === 0) return [];

  const made = Object.fromEntries(
    lacking.map((name) => [name, makers[name]()]),
  );
  const heading =
    before === undefined
      ? "# Secrets of the local server, for this machine alone. Written by `npm run dev`.\n"
      : before === "" || before.endsWith("\n")
        ? ""
        : "\n";
  const added = heading + envLines(made);

  // A quotation mark that is open at the end of the file would swallow what is appended.
  const after = parseEnv((before ?? "") + added);
  if (lacking.some((name) => after[name] !== made[name])) {
    throw new Failure(
      `${path} lacks ${lacking.join(" and ")}, and nothing can be appended to it: is a quotation mark left open in it?`,
    );
  }
  await writeFile(path, added, { flag: "a", mode: OWNER_ONLY });
  // The mode above is for a new file only.
  await chmod(path, OWNER_ONLY);
  return lacking;
}

/** An ADMIN_TOKEN that is there but empty is a choice: the admin API is off. */
function isLacking(name: SecretName, value: string | undefined): boolean {
  return name === "ADMIN_TOKEN" ? value === undefined : !value;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Failure(`${path} cannot be read: ${(error as Error).message}.`);
  }
}
