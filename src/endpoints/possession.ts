import type { Context } from "hono";
import type { ProofProblem } from "../dpop/claims.ts";
import type { Proof } from "../dpop/proof.ts";
import { type Confirmation, hasKey } from "../oauth/confirmation.ts";
import type { Seconds } from "../oauth/duration.ts";
import type { Client } from "../oauth/entities.ts";
import { OAuthError } from "../oauth/errors.ts";
import type { EarlyServer } from "../oauth/server.ts";
import { clientCertificate } from "./client-certificate.ts";
import { type AppEnv, now as currentTime } from "./endpoint.ts";

/** The keys whose possession a request to the token endpoint proves. */
export interface Possession extends Confirmation {
  /** The `jti` of the DPoP proof. */
  proof_id?: string;
}

/** Loads what a request without a proof does not need. */
const loadNonces = () => import("../oauth/dpop-nonce.ts");

/** Adds a fresh nonce to an answer, so that the client has one for its next proof (RFC 9449 section 8.2). */
export async function offerNonce(
  c: Context<AppEnv>,
  early: EarlyServer,
): Promise<void> {
  c.header("DPoP-Nonce", await newNonce(early));
}

async function newNonce({ tokenKeySchedule }: EarlyServer): Promise<string> {
  const { makeNonce } = await loadNonces();
  const time = currentTime();
  return makeNonce(tokenKeySchedule.use(time), time);
}

/**
 * Reads what a request proves: the key of its DPoP proof, and its client certificate.
 *
 * @param path the path of the endpoint. A proof names its URL
 * @throws OAuthError `dpop_proof_invalid`, `dpop_nonce_missing`
 */
export async function readPossession(
  c: Context<AppEnv>,
  path: string,
  early: EarlyServer,
  now: Seconds,
): Promise<Possession> {
  const certificate = await boundCertificate(c, early);
  const checked = await readProof(c, path, early, now);
  if (!checked) return certificate;
  if ("problem" in checked) {
    const { problem: subject, use_nonce } = checked;
    if (!use_nonce) throw new OAuthError("dpop_proof_invalid", { subject });
    // Section 8. No other refusal has a nonce: oidc-client-ts takes each refusal with one for this one.
    const headers = { "DPoP-Nonce": await newNonce(early) };
    throw new OAuthError("dpop_nonce_missing", { subject, headers });
  }
  return { ...certificate, jkt: checked.jkt, proof_id: checked.jti };
}

/**
 * Checks the DPoP proof of a request. Undefined: it has none.
 *
 * @param path the path of the endpoint. A proof names its URL
 * @param access_token the access token that comes with the proof. Left out: there is none
 */
export async function readProof(
  c: Context<AppEnv>,
  path: string,
  { settings, tokenKeys }: Pick<EarlyServer, "settings" | "tokenKeys">,
  now: Seconds,
  access_token?: string,
): Promise<Proof | ProofProblem | undefined> {
  const proof = c.req.header("DPoP");
  if (proof === undefined) return undefined;
  const { issuer, mtls_endpoint_origin } = settings;
  const origins = [issuer, mtls_endpoint_origin].filter(
    (origin) => origin !== undefined,
  );
  const { checkProof } = await import("../dpop/proof.ts");
  return checkProof(proof, {
    method: c.req.method,
    urls: origins.map((origin) => origin + path),
    now,
    ...(access_token !== undefined && { access_token }),
    judgeNonce: async (nonce) => {
      const { judgeNonce } = await loadNonces();
      return judgeNonce(tokenKeys, nonce, now);
    },
    needsNonce: settings.dpop_nonce_required,
  });
}

/** Any certificate can be bound to, also one that no authority vouches for (RFC 8705 section 3), but no revoked one. */
export async function boundCertificate(
  c: Context<AppEnv>,
  early: EarlyServer,
): Promise<Confirmation> {
  const certificate = await clientCertificate(c, early);
  return certificate && !certificate.revoked
    ? { "x5t#S256": certificate.thumbprint }
    : {};
}

/** Tells whether a request lacks the proof of a key that its client always proves, by its record. */
export function lacksKey(
  {
    dpop_bound_access_tokens: needsProof = false,
    tls_client_certificate_bound_access_tokens: needsCertificate = false,
  }: Client,
  { jkt, "x5t#S256": thumbprint }: Confirmation,
): boolean {
  return (
    (needsProof && jkt === undefined) ||
    (needsCertificate && thumbprint === undefined)
  );
}

/**
 * Returns those of the proven keys that new tokens are bound to. Undefined: to none. A certificate binds them only if the
 * client's record says so (RFC 8705 section 3.4), because a device may send one to every server that asks.
 *
 * @throws OAuthError `dpop_proof_missing`, `certificate_to_bind_missing`
 */
export function keysToBind(
  client: Client,
  { jkt, "x5t#S256": thumbprint }: Confirmation,
): Confirmation | undefined {
  const isBound = client.tls_client_certificate_bound_access_tokens === true;
  // RFC 9449 section 5.2.
  if (client.dpop_bound_access_tokens && jkt === undefined)
    throw new OAuthError("dpop_proof_missing");
  if (isBound && thumbprint === undefined)
    throw new OAuthError("certificate_to_bind_missing");
  const keys: Confirmation = {
    ...(jkt !== undefined && { jkt }),
    ...(isBound && { "x5t#S256": thumbprint }),
  };
  return hasKey(keys) ? keys : undefined;
}
