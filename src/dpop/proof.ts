import * as base64url from "jose/base64url";
import { compactVerify } from "jose/jws/compact/verify";
import type { JWK } from "jose";
import { type ProofAlgorithm, proofAlgorithms } from "./algorithms.ts";
import { BASE64URL } from "./base64url.ts";
import { checkPublicKey } from "./public-key.ts";
import { comparableUrl } from "./request-url.ts";

/**
 * DPoP proofs (RFC 9449 section 4), for the token endpoint and for APIs. This folder imports jose alone, because
 * `resource/`, which other Workers import or copy, needs it too.
 */

/**
 * The longest proof that is read. A proof with an RSA key of 8192 bits has 3,600 characters, one with an ordinary key 500.
 */
const MAX_PROOF_LENGTH = 8 * 1024;
/** The longest `jti`. A UUID has 36 characters. */
const MAX_JTI_LENGTH = 512;
/** The largest difference between `iat` and the server's clock, in seconds, where no nonce stands in for it. */
const IAT_SECONDS = 60;

/** A JWS in compact form (RFC 7515 section 7.1), with a payload and a signature. */
const compactJws = new RegExp(`^(?:${BASE64URL}\\.){2}${BASE64URL}$`);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A proof that is good. */
export interface Proof {
  /** The thumbprint of its public key (RFC 7638), in base64url. */
  jkt: string;
  jti: string;
  /** Seconds since 1970. It may have a fraction, and with a nonce it may be any time. */
  iat: number;
  nonce?: string;
}

/**
 * A verdict on a nonce. `good`: the server has made it, and it is fresh. `old`: the server has made it some time ago.
 * `unknown`: the server has not made it.
 */
export type NonceVerdict = "good" | "old" | "unknown";

/** The request that a proof must be for, and the time. */
export interface ExpectedProof {
  method: string;
  /** The URLs that the request may name, such as those of the issuer. Query and fragment are ignored. */
  urls: readonly string[];
  /** Seconds since 1970. */
  now: number;
  /** The access token of the request: the proof must have its hash (`ath`). Left out: there is none. */
  access_token?: string;
  /**
   * Judges a nonce. A good one stands in for `iat`, so that clients whose clocks are wrong get in. An old one proves nothing
   * and does no harm. Left out: nonces are ignored.
   */
  judgeNonce?: (nonce: string) => Promise<NonceVerdict>;
  /** True: a proof without a good nonce is refused. */
  needsNonce?: boolean;
}

/**
 * Why a proof is not good: the end of a sentence, for the developer of the client. It has nothing of the proof.
 * `use_nonce`: the client must try again with a nonce of the server.
 */
export type ProofProblem = { problem: string; use_nonce?: true };

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

/** The claims of a proof, each of its type. */
interface ProofClaims {
  jti: string;
  htm: string;
  htu: string;
  iat: number;
  nonce?: string;
  ath?: unknown;
  exp?: unknown;
  nbf?: unknown;
}

/** Reads the claims (steps 3 and 6). */
function readClaims(payload: Uint8Array): ProofClaims | ProofProblem {
  const claims = parsed(payload);
  if (!claims) return { problem: "its payload is not a JSON object" };
  for (const name of ["jti", "htm", "htu"])
    if (typeof claims[name] !== "string" || claims[name] === "")
      return { problem: `it needs the claim ${name}, a string` };
  // 1e999 in JSON is Infinity.
  if (!Number.isFinite(claims.iat))
    return { problem: "it needs the claim iat, a number" };
  if ((claims.jti as string).length > MAX_JTI_LENGTH)
    return { problem: `its jti has more than ${MAX_JTI_LENGTH} characters` };
  if (claims.nonce !== undefined && typeof claims.nonce !== "string")
    return { problem: "its nonce is not a string" };
  return claims as unknown as ProofClaims;
}

function parsed(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const claims: unknown = JSON.parse(utf8.decode(payload));
    return typeof claims === "object" && !Array.isArray(claims)
      ? ((claims ?? undefined) as Record<string, unknown> | undefined)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Checks that a proof is for the request (steps 8 and 9). */
function requestProblem(
  { htm, htu }: ProofClaims,
  { method, urls }: ExpectedProof,
): ProofProblem | undefined {
  if (htm !== method) return { problem: `its htm must be ${method}` };
  const named = comparableUrl(htu);
  if (named === undefined || !urls.some((url) => comparableUrl(url) === named))
    return { problem: `its htu must be ${urls.join(" or ")}` };
  return undefined;
}

/** Checks that a proof is for the access token (step 12). */
async function tokenProblem(
  { ath }: ProofClaims,
  { access_token }: ExpectedProof,
): Promise<ProofProblem | undefined> {
  if (access_token === undefined) return undefined;
  return ath === (await sha256(access_token))
    ? undefined
    : { problem: "its ath is not the hash of the access token" };
}

/** Checks that a proof is fresh (steps 10 and 11). */
async function timeProblem(
  claims: ProofClaims,
  { now, judgeNonce, needsNonce = false }: ExpectedProof,
): Promise<ProofProblem | undefined> {
  const { nonce } = claims;
  if (judgeNonce && nonce !== undefined) {
    const verdict = await judgeNonce(nonce);
    if (verdict === "good") return undefined;
    if (verdict === "unknown")
      return { problem: "its nonce is not of this server", use_nonce: true };
  }
  if (needsNonce)
    return {
      problem: nonce === undefined ? "it has no nonce" : "its nonce is too old",
      use_nonce: true,
    };
  if (isTimely(claims, now)) return undefined;
  const problem =
    "the time in its iat is more than a minute from that of this server";
  return judgeNonce ? { problem, use_nonce: true } : { problem };
}

/** Tells whether a proof was made just now by the client's clock. `exp` and `nbf` count, too (RFC 7519 section 4.1). */
function isTimely({ iat, exp, nbf }: ProofClaims, now: number): boolean {
  return (
    Math.abs(now - iat) <= IAT_SECONDS &&
    (exp === undefined || Number(exp) > now - IAT_SECONDS) &&
    (nbf === undefined || Number(nbf) < now + IAT_SECONDS)
  );
}

/** Returns the SHA-256 hash of a text in base64url. */
async function sha256(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return base64url.encode(new Uint8Array(digest));
}
