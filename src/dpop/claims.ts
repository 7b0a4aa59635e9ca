import { comparableUrl } from "./request-url.ts";
import { sha256 } from "./sha256.ts";

/** The claims of a DPoP proof: for which request they are, and from what time (RFC 9449 sections 4.2 and 4.3). */

/** The longest `jti`. A UUID has 36 characters. */
const MAX_JTI_LENGTH = 512;
/** The largest difference between `iat` and the server's clock, in seconds, where no nonce stands in for it. */
const IAT_SECONDS = 60;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
  /** The access token of the request: the proof must have its hash (`ath`). Left out: the request has no token. */
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

/** The claims of a proof, each of its type. */
export interface ProofClaims {
  jti: string;
  htm: string;
  htu: string;
  iat: number;
  nonce?: string;
  ath?: unknown;
  exp?: number;
  nbf?: number;
}

/** Reads the claims (steps 3 and 6). */
export function readClaims(payload: Uint8Array): ProofClaims | ProofProblem {
  const claims = parsed(payload);
  if (!claims) return { problem: "its payload is not a JSON object" };
  for (const name of ["jti", "htm", "htu"])
    if (typeof claims[name] !== "string" || claims[name] === "")
      return { problem: `it needs the claim ${name}, a string` };
  // 1e999 in JSON is Infinity.
  if (!Number.isFinite(claims.iat))
    return { problem: "it needs the claim iat, a number" };
  for (const name of ["exp", "nbf"])
    if (claims[name] !== undefined && !Number.isFinite(claims[name]))
      return { problem: `its ${name} is not a number` };
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
export function requestProblem(
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
export async function tokenProblem(
  { ath }: ProofClaims,
  { access_token }: ExpectedProof,
): Promise<ProofProblem | undefined> {
  if (access_token === undefined) return undefined;
  return ath === (await sha256(access_token))
    ? undefined
    : {
        problem:
          "its ath must be the SHA-256 hash of the access token, in base64url",
      };
}

/** Checks that a proof is fresh (steps 10 and 11). */
export async function timeProblem(
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
    (exp === undefined || exp > now - IAT_SECONDS) &&
    (nbf === undefined || nbf < now + IAT_SECONDS)
  );
}
