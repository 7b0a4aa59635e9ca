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

/** The most keys that an isolate keeps ready. */
const MAX_READY = 1_000;
/**
 * Keys without the members that are not the key itself, by their JSON. jose imports each of these objects once per
 * algorithm. A record that was read again has the same keys in new objects. Above a bound the oldest key is dropped.
 */
const bareKeys = new Map<string, JWK>();

/**
 * The keys that have not signed an assertion. Record and keys are read again before a client is refused, and mostly they
 * have not changed.
 */
const triedInVain = new WeakMap<Assertion, Set<JWK>>();

/**
 * The most keys of a client that an assertion is verified with. A set with several has a name for each (OpenID Connect
 * Core section 10.1), and a client without names has one key, or two or three while one replaces another.
 */
const MAX_TRIED = 4;

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
 * that one first, and then with keys that have no name; another one with those that fit its algorithm. Where no key fits,
 * a decoy is tried, so that the time does not reveal which clients exist.
 *
 * @returns why it is refused; undefined if it is good
 */
async function signatureRefusal(
  assertion: Assertion,
  keys: readonly ClientKey[],
): Promise<Reason | undefined> {
  const { alg, kid } = assertion;
  const fitting = keys.filter((key) => fits(key, alg, kid));
  if (fitting.length === 0) {
    await isSignedBy(decoys[assertionKeyTypes[alg]], assertion);
    return "client_assertion_key_unknown";
  }
  const isOther = (key: ClientKey) => Number(key.kid !== kid);
  fitting.sort((one, other) => isOther(one) - isOther(other));
  for (const key of fitting.slice(0, MAX_TRIED))
    if (await isSignedBy(key, assertion)) return undefined;
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

/** Tells whether a key has signed an assertion. A point that is not on its curve has signed none. */
async function isSignedBy(
  key: ClientKey,
  assertion: Assertion,
): Promise<boolean> {
  const jwk = bareKey(key);
  const tried = triedInVain.get(assertion) ?? new Set();
  if (tried.has(jwk)) return false;
  try {
    await compactVerify(assertion.jwt, jwk, { algorithms: [assertion.alg] });
    return true;
  } catch {
    triedInVain.set(assertion, tried.add(jwk));
    return false;
  }
}

function bareKey({ kty, crv, x, y, n, e }: ClientKey): JWK {
  const members =
    kty === "EC" ? { crv, x, y } : kty === "OKP" ? { crv, x } : { n, e };
  const made = { kty, ...members } as JWK;
  const text = JSON.stringify(made);
  const known = bareKeys.get(text);
  if (known) return known;
  bareKeys.set(text, made);
  const [oldest] = bareKeys.keys();
  if (bareKeys.size > MAX_READY && oldest !== undefined)
    bareKeys.delete(oldest);
  return made;
}
