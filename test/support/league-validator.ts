import { importSPKI } from "jose";

/**
 * A resource server that validates tokens by the rules of league/oauth2-server 8 and 9
 * (`BearerTokenValidator`, with lcobucci/jwt's `Parser`, `LooseValidAt` and `SignedWith`), written from a
 * reading of their source. It has the public key only: it knows neither the issuer nor the JWKS.
 */

/** What a resource server learns about an accepted request. In league these are PSR-7 attributes. */
export interface LeagueAttributes {
  oauth_access_token_id: string;
  /** An array if the token has several audiences: league unpacks an array only if it has one element. */
  oauth_client_id: string | string[];
  oauth_user_id: string;
  /** Null without the claim. Then Passport 13 fails at the first `tokenCan`. */
  oauth_scopes: string[] | null;
}

/** @param publicKey a PEM, such as `oauth-public.key` */
export class LeagueResourceServer {
  readonly #publicKey: string;
  /** league asks the application's repository whether a `jti` is revoked. */
  readonly #isRevoked: (jti: string) => boolean;

  constructor(publicKey: string, isRevoked = (_jti: string) => false) {
    this.#publicKey = publicKey;
    this.#isRevoked = isRevoked;
  }

  /**
   * @param now milliseconds since 1970
   * @throws Error with the reason why access is denied
   */
  async validate(headers: Headers, now: number): Promise<LeagueAttributes> {
    const header = headers.get("Authorization");
    if (header === null) throw new Error("no Authorization header");
    const jwt = header.replace(/^\s*Bearer\s/, "").trim();
    const { alg, claims, input, signature } = parse(jwt);

    // There is no leeway. A missing claim is valid, except in 8.3.2 to 8.3.5 (`StrictValidAt`).
    const { iat = 0, nbf = 0, exp = Infinity } = claims;
    const seconds = now / 1000;
    if (seconds < iat) throw new Error("issued in the future");
    if (seconds < nbf) throw new Error("not to be used yet");
    if (seconds >= exp) throw new Error("expired");

    if (alg !== "RS256") throw new Error("signed by another algorithm");
    const genuine = await crypto.subtle.verify(
      "RSASSA-PKCS1-v1_5",
      await importSPKI(this.#publicKey, "RS256"),
      signature,
      input,
    );
    if (!genuine) throw new Error("signature is wrong");

    const { jti, aud, sub, scopes = null } = claims;
    if (this.#isRevoked(jti)) throw new Error("revoked");
    return {
      oauth_access_token_id: jti,
      oauth_client_id: aud.length === 1 ? aud[0]! : aud,
      oauth_user_id: sub,
      oauth_scopes: scopes,
    };
  }
}

interface Claims {
  jti: string;
  aud: string[];
  sub: string;
  iat?: number;
  nbf?: number;
  exp?: number;
  scopes?: string[];
}

function parse(jwt: string) {
  const parts = jwt.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature)
    throw new Error("not a JWT: three parts");
  const { alg, enc } = json(header);
  if (enc !== undefined) throw new Error("encrypted");
  const claims = json(payload);
  for (const name of ["iat", "nbf", "exp"]) {
    if (claims[name] !== undefined && !Number.isFinite(Number(claims[name])))
      throw new Error(`${name} is not a date`);
  }
  return {
    alg,
    claims: { ...claims, aud: [claims["aud"]].flat() } as Claims,
    input: new TextEncoder().encode(`${header}.${payload}`),
    signature: bytes(signature),
  };
}

function json(part: string): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes(part)));
  if (typeof value !== "object" || value === null)
    throw new Error("not a JWT: an object");
  return value as Record<string, unknown>;
}

function bytes(base64url: string): Uint8Array {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
