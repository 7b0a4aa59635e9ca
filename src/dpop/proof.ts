import { compactVerify } from "jose/jws/compact/verify";
import type { JWK } from "jose";
import { type ProofAlgorithm, proofAlgorithms } from "./algorithms.ts";
import { BASE64URL } from "./base64url.ts";
import { checkPublicKey } from "./public-key.ts";
import {
  type ExpectedProof,
  type ProofProblem,
  readClaims,
  requestProblem,
  timeProblem,
  tokenProblem,
} from "./claims.ts";
import { sha256 } from "./sha256.ts";

/**
 * DPoP proofs (RFC 9449 section 4), for the token endpoint and for APIs. This folder imports jose alone, because
 * `resource/`, which other Workers import or copy, needs it too.
 */

/**
 * The longest proof that is read. A proof with an RSA key of 8192 bits has 3,600 characters, one with an ordinary key 500.
 */
const MAX_PROOF_LENGTH = 8 * 1024;

/** A JWS in compact form (RFC 7515 section 7.1), with a payload and a signature. */
const compactJws = new RegExp(`^(?:${BASE64URL}\\.){2}${BASE64URL}$`);

/** A proof that is good. */
export interface Proof {
  /** The thumbprint of its public key (RFC 7638), in base64url. */
  jkt: string;
  jti: string;
  /** Seconds since 1970. It may have a fraction, and with a nonce it may be any time. */
  iat: number;
  nonce?: string;
}

/** Checks a DPoP proof (RFC 9449 section 4.3). @param proof the value of the header DPoP */
export async function checkProof(
  proof: string,
  expected: ExpectedProof,
): Promise<Proof | ProofProblem> {
  const problem = formProblem(proof);
  if (problem) return { problem };
  const signed = await verifySignature(proof);
  if ("problem" in signed) return signed;
  const { jwk, payload } = signed;
  const claims = readClaims(payload);
  if ("problem" in claims) return claims;
  const wrong =
    requestProblem(claims, expected) ??
    (await tokenProblem(claims, expected)) ??
    (await timeProblem(claims, expected));
  if (wrong) return wrong;
  const { jti, iat, nonce } = claims;
  // The members of `jwk` are those of RFC 7638 section 3.2, in the order of section 3.3.
  const jkt = await sha256(JSON.stringify(jwk));
  return { jkt, jti, iat, ...(nonce !== undefined && { nonce }) };
}

/** Checks what costs nothing: length and form. */
function formProblem(proof: string): string | undefined {
  if (proof.length > MAX_PROOF_LENGTH) return "it is too long";
  if (proof.includes(","))
    return "there must be one header DPoP with one proof";
  return compactJws.test(proof)
    ? undefined
    : "it is not a JWS in compact form, with three parts in base64url";
}

/** A problem that is found while the signature is verified. */
class Unverified extends Error {}

/** Verifies header, key and signature (steps 2 to 7). */
async function verifySignature(
  proof: string,
): Promise<{ jwk: JWK; payload: Uint8Array } | ProofProblem> {
  let key: JWK | undefined;
  try {
    const { payload } = await compactVerify(
      proof,
      (header) => (key = keyOf(header)),
      { algorithms: [...proofAlgorithms] },
    );
    return { jwk: key!, payload };
  } catch (error) {
    if (error instanceof Unverified) return { problem: error.message };
    const { code } = error as { code?: unknown };
    return {
      problem:
        problemsOfJose[code as keyof typeof problemsOfJose] ??
        "its jwk is not a public key",
    };
  }
}

const problemsOfJose = {
  ERR_JWS_INVALID: "its header is not a JSON object with alg, typ and jwk",
  ERR_JOSE_ALG_NOT_ALLOWED: `its alg must be one of ${proofAlgorithms.join(", ")}`,
  ERR_JOSE_NOT_SUPPORTED: "its header must not have crit",
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED:
    "its signature is not of the key in its jwk",
};

/** Checks a header whose `alg` is in the list. @throws Unverified */
function keyOf(header: Record<string, unknown>): JWK {
  const { typ, alg, jwk } = header;
  // RFC 7515 section 4.1.9: a media type, of which "application/" may be left out.
  if (
    typeof typ !== "string" ||
    typ.toLowerCase().replace(/^application\//, "") !== "dpop+jwt"
  )
    throw new Unverified("its typ must be dpop+jwt");
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64"))
    throw new Unverified("its header must not have crit or b64");
  const key = checkPublicKey(jwk, alg as ProofAlgorithm);
  if ("problem" in key) throw new Unverified(key.problem);
  return key.jwk;
}
