import { createECDH, createHash } from "node:crypto";
import leagueTokens from "../league/refresh-tokens.json" with { type: "json" };

/*
 * The keys of the kept records. They are test keys and protect nothing: each is the digest of a public sentence, so that
 * no file has a key in it.
 */

function digest(name: string): Buffer {
  return createHash("sha256").update(`a public test key: ${name}`).digest();
}

/** Makes the private key of a name, for ES256, as a JWK. */
function privateKey(name: string) {
  const d = digest(name);
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(d);
  const point = curve.getPublicKey();
  return {
    kty: "EC",
    crv: "P-256",
    x: point.subarray(1, 33).toString("base64url"),
    y: point.subarray(33).toString("base64url"),
    d: d.toString("base64url"),
  };
}

/** The private key of a test client, as a JWK. */
export function keyOf(clientId: string) {
  return privateKey(`the key of ${clientId}`);
}

export const ADMIN_TOKEN = digest("ADMIN_TOKEN").toString("base64url");

export const testSecrets = {
  PRIVATE_KEY: JSON.stringify(privateKey("PRIVATE_KEY")),
  ENCRYPTION_KEY: digest("ENCRYPTION_KEY").toString("base64"),
  ADMIN_TOKEN,
  LEAGUE_ENCRYPTION_KEY: leagueTokens.keys.password.value,
};

/** The secret of a test client. */
export function secretOf(clientId: string): string {
  return digest(`the secret of ${clientId}`).toString("base64url");
}

/** A token of the old server, by its number. The client is always the same. */
export function leagueToken(number: number) {
  const found = leagueTokens.vectors.filter(({ key }) => key === "password")[
    number
  ];
  if (!found) throw new Error(`there is no league token ${number}`);
  return found;
}
