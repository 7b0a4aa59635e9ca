import * as base64url from "jose/base64url";
import * as v from "valibot";
import type { Confirmation } from "../confirmation.ts";
import type { Seconds } from "../duration.ts";
import type { SigningKey, VerificationKeys } from "../keys.ts";
import { type Claims, unregisteredClaims } from "../login-claims.ts";
import { parse } from "../schema.ts";
import { signJwt, verifyJwt } from "../signed-jwt.ts";

/** The content of an access token (RFC 9068 section 2.2). */
export interface AccessTokenClaims {
  iss: string;
  sub: string;
  /** Only in a token without a user: `sub` is the id of the client. */
  sub_type?: "client";
  aud: string[];
  client_id: string;
  scope: string[];
  iat: Seconds;
  exp: Seconds;
  /**
   * The id of the token's family. It is a part of `jti`, where introspection finds it. Left out: the token is
   * of the client itself and has no family.
   */
  family_id?: Uint8Array;
  /** The keys that the token is bound to (RFC 7800 section 3.1). */
  cnf?: Confirmation;
  /** The scopes as an array, for league's resource servers. */
  scopes?: string[];
  nbf?: Seconds;
  auth_time?: Seconds;
  acr?: string;
  amr?: string[];
  /** The claims that the login has given. They replace none of the others. */
  claims?: Claims;
}

/** Stands in `jti` if the token has no family. */
const NO_FAMILY = "client";

/** Makes and signs a JWT access token (RFC 9068 section 2). */
export function signAccessToken(
  signingKey: SigningKey,
  claims: AccessTokenClaims,
): Promise<string> {
  const { family_id, scope, aud, claims: given, ...registered } = claims;
  const nonce = base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
  const payload = {
    ...(given && unregisteredClaims("claims", given)),
    ...registered,
    // RFC 7519 section 4.1.3: a single audience may be a string.
    aud: aud.length === 1 ? aud[0]! : aud,
    ...(scope.length > 0 && { scope: scope.join(" ") }),
    jti: `${family_id ? base64url.encode(family_id) : NO_FAMILY}.${nonce}`,
  };
  return signJwt(signingKey, "accessToken", JSON.stringify(payload));
}

/** A `jti` as `signAccessToken` writes it: the id of a family, or that there is none, and the random part. */
const familyInJti = new RegExp(`^(?:([\\w-]{43})|${NO_FAMILY})\\.[\\w-]{22}$`);

/** JSON has numbers that are read as infinite, such as 1e999. */
const time = v.pipe(v.number(), v.finite());

/**
 * The signed payload of an access token. Claims that this server does not issue are left out, because nothing
 * checks them.
 */
const signedClaims = v.object({
  iss: v.string(),
  sub: v.string(),
  sub_type: v.optional(v.literal("client")),
  aud: v.union([v.string(), v.pipe(v.array(v.string()), v.minLength(1))]),
  client_id: v.string(),
  scope: v.optional(v.string()),
  scopes: v.optional(v.array(v.string())),
  iat: time,
  exp: time,
  nbf: v.optional(time),
  jti: v.pipe(v.string(), v.regex(familyInJti)),
  cnf: v.optional(
    v.object({
      jkt: v.exactOptional(v.string()),
      "x5t#S256": v.exactOptional(v.string()),
    }),
  ),
});

export type SignedClaims = v.InferOutput<typeof signedClaims>;

/** An access token that this server has signed. It may have expired. */
export interface VerifiedAccessToken {
  /** Undefined: the token is of the client itself. */
  family_id: Uint8Array | undefined;
  claims: SignedClaims;
}

/**
 * Verifies signature, type, form and issuer of an access token, but not its expiry.
 *
 * @returns undefined if this server has not signed the token
 */
export async function verifyAccessToken(
  keys: VerificationKeys,
  issuer: string,
  token: string,
): Promise<VerifiedAccessToken | undefined> {
  const verified = await verifyJwt(keys, "accessToken", token);
  const { data: claims } = parse(signedClaims, verified);
  if (claims?.iss !== issuer) return undefined;
  const [, family] = familyInJti.exec(claims.jti) ?? [];
  return {
    family_id: family === undefined ? undefined : base64url.decode(family),
    claims,
  };
}
