import { generateKeyPairSync, randomBytes } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { unwrapSecret } from "../../oauth/secret-floor.ts";
import { Failure } from "../failure.ts";
import { kindOf } from "../keys/key-names.ts";

/** Only the owner may read the file, because it has private keys. */
const OWNER_ONLY = 0o600;

/** Generators of the server's secrets. */
const generators = {
  PRIVATE_KEY: () =>
    JSON.stringify(
      generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
        format: "jwk",
      }),
    ),
  ENCRYPTION_KEY: () => randomBytes(32).toString("base64"),
  ADMIN_TOKEN: () => randomBytes(32).toString("base64url"),
};

export type SecretName = keyof typeof generators;
export type Secrets = Record<SecretName, string>;

const secretNames = Object.keys(generators) as SecretName[];

export function freshSecrets(): Secrets {
  return {
    PRIVATE_KEY: generators.PRIVATE_KEY(),
    ENCRYPTION_KEY: generators.ENCRYPTION_KEY(),
    ADMIN_TOKEN: generators.ADMIN_TOKEN(),
  };
}

/** The lines of an env file. In single quotes, a parser does not change the JSON of a key. */
export function envLines(secrets: Partial<Secrets>): string {
  return Object.entries(secrets)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join("");
}

/** Reads the variables of a `.dev.vars` file. Undefined if there is no file. */
export async function readDevVars(
  path: string,
): Promise<NodeJS.Dict<string> | undefined> {
  const text = await readIfPresent(path);
  return text === undefined ? undefined : parseEnv(text);
}

/** Returns the ADMIN_TOKEN of a file as the server takes it. Undefined: there is none, or it is empty. */
export function adminTokenIn(
  variables: NodeJS.Dict<string> | undefined,
): string | undefined {
  return unwrapSecret(variables?.["ADMIN_TOKEN"] ?? "") || undefined;
}

/**
 * Completes a `.dev.vars` file: appends the secrets that a local server needs and the file lacks. Does
 * not change a byte of what the file has.
 *
 * @returns the names of the secrets that were appended
 * @throws Failure if an appended secret could not be read back
 */
export async function completeDevVars(path: string): Promise<SecretName[]> {
  const before = await readIfPresent(path);
  const present = parseEnv(before ?? "");
  const missing = secretNames.filter((name) => isMissing(name, present));
  if (missing.length === 0) return [];

  const fresh = Object.fromEntries(
    missing.map((name) => [name, generators[name]()]),
  );
  const heading =
    before === undefined
      ? "# Secrets of the local server, for this machine only. Written by `npm run dev`.\n"
      : before === "" || before.endsWith("\n")
        ? ""
        : "\n";
  const added = heading + envLines(fresh);

  // If the file ends inside a quoted value, the appended lines would become part of that value.
  const after = parseEnv((before ?? "") + added);
  if (missing.some((name) => after[name] !== fresh[name])) {
    throw new Failure(
      `${path} has no ${missing.join(" and no ")}, and it cannot be appended because the file ends inside a quoted value. Close the quotation mark and run the command again.`,
    );
  }
  await writeFile(path, added, { flag: "a", mode: OWNER_ONLY });
  // The mode above applies only to a new file.
  await chmod(path, OWNER_ONLY);
  return missing;
}

/**
 * An empty ADMIN_TOKEN is not missing: it turns the admin API off. A key is not missing while one of its kind has a
 * label: the one without a label may have been retired after a rotation.
 */
function isMissing(name: SecretName, present: NodeJS.Dict<string>): boolean {
  if (name === "ADMIN_TOKEN") return present[name] === undefined;
  const kind = kindOf(name);
  return !Object.keys(present).some(
    (other) =>
      kindOf(other) === kind && unwrapSecret(present[other] ?? "") !== "",
  );
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Failure(`Cannot read ${path}: ${(error as Error).message}.`);
  }
}
