import * as base64url from "jose/base64url";
import * as v from "valibot";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import type { SigningKey, VerificationKeys } from "../keys.ts";
import { type Claims, unregisteredClaims } from "../login-claims.ts";
import { OPENID } from "./scopes.ts";
import type { FamilyState } from "../repositories.ts";
import { parse } from "../schema.ts";
import { signJwt, verifyJwt } from "../signed-jwt.ts";

/** The content of an ID token (OpenID Connect Core section 2), beside the claims about the person. */
export interface IdTokenClaims {
  iss: string;
  sub: string;
  /** The client. It is the only audience, so there is no `azp`. */
  aud: string;
  iat: Seconds;
  exp: Seconds;
  auth_time?: Seconds;
  nonce?: string;
  acr?: string;
  amr?: string[];
  /** The session: the login's, else the id of the family, so that a client can match logout tokens. */
  sid: string;
  at_hash: string;
  /** The id of the family. It is a part of `jti`, so that a logout finds the family. */
  family_id: Uint8Array;
}

/** Makes and signs an ID token. The claims about the person cannot replace the others. */
export function signIdToken(
  signingKey: SigningKey,
  { family_id, ...claims }: IdTokenClaims,
  person: Claims,
): Promise<string> {
  const nonce = base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
  const payload = {
    ...unregisteredClaims("id_token_claims", person),
    ...claims,
    // No dot, as that of an access token has: so an API of league that asks for the dot refuses an ID token.
    jti: `${base64url.encode(family_id)}~${nonce}`,
  };
  return signJwt(signingKey, "idToken", JSON.stringify(payload));
}

const encoder = new TextEncoder();

/**
 * Returns the hash of an access token for the ID token beside it: the left half of its digest (OpenID Connect Core
 * section 3.1.3.6). The digest is that of the algorithm that signs the ID token, and SHA-512 for Ed25519, which has
 * none beside its own.
 */
export async function accessTokenHash(
  { parameters }: Pick<SigningKey, "parameters">,
  accessToken: string,
): Promise<string> {
  const bytes = encoder.encode(accessToken);
  const hash = parameters.hash ?? "SHA-512";
  const digest = new Uint8Array(await crypto.subtle.digest(hash, bytes));
  return base64url.encode(digest.subarray(0, digest.length / 2));
}

/** A `jti` as `signIdToken` writes it: the id of the family, and a random part. */
const familyInJti = /^([\w-]{43})~[\w-]{22}$/;

const time = v.pipe(v.number(), v.finite());

const signedClaims = v.object({
  iss: v.string(),
  sub: v.string(),
  aud: v.string(),
  iat: time,
  exp: time,
  sid: v.string(),
  jti: v.pipe(v.string(), v.regex(familyInJti)),
});

/** An ID token that this server has signed. It may have expired, because a hint may be old. */
export interface VerifiedIdToken extends v.InferOutput<typeof signedClaims> {
  family_id: Uint8Array;
}

/**
 * Verifies signature, form and issuer of an ID token, but not its audience and expiry.
 *
 * @returns undefined if this server has not signed the token
 */
export async function verifyIdToken(
  keys: VerificationKeys,
  issuer: string,
  token: string,
): Promise<VerifiedIdToken | undefined> {
  const verified = await verifyJwt(keys, "idToken", token);
  const { data: claims } = parse(signedClaims, verified);
  if (claims?.iss !== issuer) return undefined;
  const [, family = ""] = familyInJti.exec(claims.jti) ?? [];
  return { ...claims, family_id: base64url.decode(family) };
}

/**
 * Tells whether a family can have an ID token. The signature alone is not trusted, because PRIVATE_KEY may have leaked,
 * and because a family may have begun again after the token was issued.
 */
export function isIdTokenOf(
  { login, created_at }: FamilyState,
  { sub, aud, iat }: VerifiedIdToken,
): boolean {
  return (
    login.sub_type === undefined &&
    login.subject === sub &&
    login.client_id === aud &&
    login.scope.includes(OPENID) &&
    iat + CLOCK_SKEW_SECONDS >= created_at
  );
}
