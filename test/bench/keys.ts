import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The secrets of a measured Worker. They are made at its first start and kept beside its data. */
export interface Secrets {
  /** A private JWK for ES256. */
  PRIVATE_KEY: string;
  /** base64 of 32 random bytes */
  MAC_KEY: string;
  ADMIN_TOKEN: string;
}

/** Reads the secrets in a folder, and makes them if there are none. */
export function secretsIn(folder: string): Secrets {
  const file = join(folder, "secrets.json");
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const secrets: Secrets = {
      PRIVATE_KEY: JSON.stringify(privateKey.export({ format: "jwk" })),
      MAC_KEY: randomBytes(32).toString("base64"),
      ADMIN_TOKEN: randomBytes(32).toString("base64url"),
    };
    writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, "utf8")) as Secrets;
}
