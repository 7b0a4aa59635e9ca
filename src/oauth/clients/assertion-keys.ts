import type { JWK } from "jose";
import { compactVerify } from "jose/jws/compact/verify";
import {
  type AssertionAlgorithm,
  assertionKeyTypes,
} from "../assertion-algorithms.ts";
import type { ClientKeyFinder } from "../client-key-finder.ts";
import type { ClientKey } from "../client-keys.ts";
import type { Client } from "../entities.ts";
import type { Reason } from "../errors.ts";
import type { Assertion, ReadAssertion } from "./assertion.ts";
import { decoys } from "./decoys.ts";

/** The signature of a client's assertion. It is loaded with the first one. */

/** Keys of records without the members that are not the key itself. jose imports each of these objects once per algorithm. */
const bareKeys = new WeakMap<ClientKey, JWK>();

/**
 * Judges an assertion by the record of its client.
 *
 * @param client undefined: there is no such client
 * @param network as of `ClientKeyFinder`
 * @returns why it is refused; undefined if it is good
 * @throws OAuthError what `ClientKeyFinder` throws
 */
export async function assertionRefusal(
  assertion: ReadAssertion,
  client: Client | undefined,
  clientKeys: () => Promise<ClientKeyFinder>,
  network: string,
): Promise<Reason | undefined> {
  if (assertion.refused !== undefined) return assertion.refused;
  // Another client is refused anyway. It costs as much as one with keys.
  if (client?.token_endpoint_auth_method !== "private_key_jwt")
    return signatureRefusal(assertion, []);
  const { jwks, jwks_uri } = client;
  if (jwks_uri === undefined)
    return signatureRefusal(assertion, jwks?.keys ?? []);
  const finder = await clientKeys();
  const known = await finder.find(jwks_uri, network);
  if ("refused" in known) return known.refused;
  const refused = await signatureRefusal(assertion, known);
  if (refused === undefined) return undefined;
  const newer = await finder.findAgain(jwks_uri, network);
  if ("refused" in newer) return newer.refused;
  return newer === known ? refused : signatureRefusal(assertion, newer);
}

/**
 * Verifies the signature of an assertion with the keys of its client. An assertion that names a key is verified with
 * that one (and with keys that have no name), another one with all that fit its algorithm. Where no key fits, a decoy is
 * tried, so that the time does not reveal which clients exist.
 *
 * @returns why it is refused; undefined if it is good
 */
async function signatureRefusal(
  { jwt, alg, kid }: Assertion,
  keys: readonly ClientKey[],
): Promise<Reason | undefined> {
  const fitting = keys.filter((key) => fits(key, alg, kid));
  if (fitting.length === 0) {
    await isSignedBy(decoys[assertionKeyTypes[alg]], jwt, alg);
    return "client_assertion_key_unknown";
  }
  for (const key of fitting)
    if (await isSignedBy(key, jwt, alg)) return undefined;
  return "client_assertion_wrong";
}

function fits(
  key: ClientKey,
  alg: AssertionAlgorithm,
  kid: string | undefined,
): boolean {
  const { kty, crv = kty } = key;
  return (
    crv === assertionKeyTypes[alg] &&
    (kid === undefined || key.kid === undefined || key.kid === kid) &&
    (key.alg === undefined || isSameAlgorithm(key.alg, alg))
  );
}

/** RFC 9864: `Ed25519` is the `EdDSA` of an Ed25519 key. */
function isSameAlgorithm(one: string, other: string): boolean {
  const plain = (alg: string) => (alg === "EdDSA" ? "Ed25519" : alg);
  return plain(one) === plain(other);
}

/** Tells whether a key has signed a JWS. A point that is not on its curve has signed none. */
async function isSignedBy(
  jwk: ClientKey,
  jwt: string,
  alg: AssertionAlgorithm,
): Promise<boolean> {
  try {
    await compactVerify(jwt, bareKey(jwk), { algorithms: [alg] });
    return true;
  } catch {
    return false;
  }
}

function bareKey(key: ClientKey): JWK {
  const known = bareKeys.get(key);
  if (known) return known;
  const { kty, crv, x, y, n, e } = key;
  const members =
    kty === "EC" ? { crv, x, y } : kty === "OKP" ? { crv, x } : { n, e };
  const made = { kty, ...members } as JWK;
  bareKeys.set(key, made);
  return made;
}
