import { base64url } from "jose";
import { checkProof, type Proof } from "../dpop/proof.ts";
import type {
  Checked,
  Presentation,
  ResourceOptions,
  VerifiedToken,
} from "./options.ts";

/** The time for which the id of a proof is remembered, in seconds. A proof is fresh for at most two minutes. */
const REMEMBERED_SECONDS = 180;

/**
 * Checks that a request with a good token proves the keys that it is bound to (RFC 9449 section 7.2, RFC 8705 section 3).
 *
 * @param presentation the way in which it is presented. Empty: as a bearer token, without a certificate
 */
export async function checkPossession(
  verified: VerifiedToken,
  { dpop, certificate }: Presentation,
  options: ResourceOptions,
): Promise<Checked> {
  const { cnf } = verified.claims;
  const bound = boundTo(cnf);
  if (cnf !== undefined && !bound)
    return {
      invalid:
        "The token is bound to a key that this resource cannot check. Get one with a DPoP proof.",
    };
  const { jkt, x5t } = bound ?? {};
  if (!dpop && jkt !== undefined)
    return {
      invalid:
        "The token is bound to a key, and is not a bearer token. Send it with the scheme DPoP and a proof of the key.",
    };
  if (x5t !== undefined && x5t !== certificate)
    return {
      invalid:
        "The token is bound to a client certificate, and this resource sees another one or none. Connect with that of the token.",
    };
  if (dpop && jkt !== undefined)
    return checkKey(verified, { ...dpop, jkt }, options);
  if (options.dpop_bound_access_tokens_required)
    return {
      invalid:
        "This resource needs a token that is bound to a key. Get one with a DPoP proof.",
    };
  if (dpop)
    return {
      invalid:
        "The token is not bound to a key. Send it with the scheme Bearer.",
    };
  return { verified };
}

/**
 * Reads the claim `cnf` (RFC 7800 section 3.1). Members that are not known are ignored, as there.
 *
 * @returns undefined if it names no key that can be checked
 */
function boundTo(cnf: unknown): { jkt?: string; x5t?: string } | undefined {
  if (typeof cnf !== "object" || cnf === null) return undefined;
  const { jkt, "x5t#S256": x5t } = cnf as Record<string, unknown>;
  const known = [jkt, x5t].filter((one) => one !== undefined);
  if (known.length === 0 || !known.every((one) => typeof one === "string"))
    return undefined;
  return { jkt, x5t } as { jkt?: string; x5t?: string };
}

async function checkKey(
  verified: VerifiedToken,
  {
    proof,
    jkt,
    ...request
  }: NonNullable<Presentation["dpop"]> & { jkt: string },
  { is_new_proof }: ResourceOptions,
): Promise<Checked> {
  const now = Math.floor(Date.now() / 1000);
  const checked = proof
    ? await checkProof(proof, {
        method: request.method,
        urls: [request.url],
        now,
        access_token: verified.token,
      })
    : { problem: "there must be one in the header DPoP" };
  if ("problem" in checked) return invalidProof(checked.problem);
  // RFC 9449 section 7.1 names this error for it.
  if (checked.jkt !== jkt)
    return {
      invalid:
        "The token is bound to another key than that of the proof. Sign the proof with the key of the token.",
    };
  if (!is_new_proof) return { verified };
  try {
    const isNew = await is_new_proof(
      await idOf(checked),
      now + REMEMBERED_SECONDS,
    );
    return isNew ? { verified } : invalidProof("it was used already");
  } catch (error) {
    console.error(`is_new_proof: ${String(error)}`);
    return { unavailable: "Nobody can tell whether the DPoP proof is new." };
  }
}

function invalidProof(problem: string): Checked {
  return {
    invalid: `The DPoP proof is not valid: ${problem}. Make a new one for each request.`,
    error: "invalid_dpop_proof",
  };
}

/** Makes an id of a fixed length. Two clients may have chosen the same `jti`. */
async function idOf({ jkt, jti }: Proof): Promise<string> {
  const bytes = new TextEncoder().encode(`${jkt} ${jti}`);
  return base64url.encode(
    new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
  );
}
