import { kindOf } from "../keys/key-names.ts";
import { freshSecrets, type SecretName } from "../local/dev-vars.ts";
import type { SecretStore } from "../secrets/secret-store.ts";
import type { Reporter } from "./reporter.ts";

/** A secret that a server needs. */
interface Needed {
  name: SecretName;
  /** Tells whether a secret is one of this kind, under any name. */
  isKind: (name: string) => boolean;
  /** The command that makes a value. */
  generator: string;
}

const needed: Needed[] = [
  {
    name: "PRIVATE_KEY",
    isKind: (name) => kindOf(name) === "private",
    generator: "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
  },
  {
    name: "ENCRYPTION_KEY",
    isKind: (name) => kindOf(name) === "encryption",
    generator: "openssl rand -base64 32",
  },
  {
    name: "ADMIN_TOKEN",
    isKind: (name) => name === "ADMIN_TOKEN",
    generator: 'echo "$BATON_ADMIN_TOKEN"',
  },
];

/** Tells whether a Worker with these secrets is a Baton. */
export function hasKeys(names: string[]): boolean {
  return names.some((name) => kindOf(name) !== undefined);
}

/** The secrets that were made, and those that were there. */
export interface KeysMade {
  made: SecretName[];
  kept: string[];
  /** The value, if it was made now. Nothing else can show it. */
  adminToken: string | undefined;
}

/**
 * Makes the secrets that a server lacks. One that is there is never made anew, because its tokens would be lost.
 *
 * @param names the secrets that the server has
 * @param isRehearsal true shows the commands and changes nothing
 */
export async function makeKeys(
  store: SecretStore,
  names: string[],
  reporter: Reporter,
  isRehearsal: boolean,
): Promise<KeysMade> {
  const result: KeysMade = { made: [], kept: [], adminToken: undefined };
  const values = freshSecrets();
  for (const { name, isKind, generator } of needed) {
    const present = names.filter(isKind);
    if (present.length > 0) {
      reporter.note(`${present.join(", ")}: is there, and stays.`);
      result.kept.push(...present);
      continue;
    }
    if (name === "ADMIN_TOKEN") showToken(values[name], reporter, isRehearsal);
    reporter.command(store.putCommand(name, generator));
    // The token is shown before it is set: whoever ends setup here must not have a server with a token that nobody knows.
    if (!isRehearsal) await store.put(name, values[name]);
    result.made.push(name);
    if (name === "ADMIN_TOKEN") result.adminToken = values[name];
  }
  return result;
}

function showToken(
  token: string,
  reporter: Reporter,
  isRehearsal: boolean,
): void {
  reporter.note(
    "The admin token is shown this one time. Keep it where you keep passwords:",
  );
  reporter.command(
    isRehearsal
      ? "export BATON_ADMIN_TOKEN=$(openssl rand -base64 32)"
      : `export BATON_ADMIN_TOKEN=${token}`,
  );
}
