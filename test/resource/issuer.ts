import {
  exportJWK,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
} from "jose";
import type { ResourceOptions } from "../../src/resource/index.ts";

/** An issuer as a resource server sees it: metadata, keys, and the tokens that it signs. */

export const ISSUER = "https://auth.example.com";
export const RESOURCE = "https://api.example.com/notes";
export const METADATA_URL =
  "https://api.example.com/.well-known/oauth-protected-resource/notes";

interface Key {
  kid: string;
  alg: string;
  privateKey: CryptoKey;
  jwk: object;
}

export async function makeKey(alg = "ES256"): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, {
    extractable: true,
  });
  const kid = crypto.randomUUID();
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
  return { kid, alg, privateKey, jwk };
}

export class FakeIssuer {
  /** The URLs that were fetched. */
  readonly fetched: string[] = [];
  metadata: object = {
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/.well-known/jwks.json`,
  };
  /** Answers a fetch of the keys. */
  answer: () => Promise<Response> | Response = () => this.jwks();
  keys: Key[];

  private constructor(keys: Key[]) {
    this.keys = keys;
  }

  static async start(): Promise<FakeIssuer> {
    return new FakeIssuer([await makeKey()]);
  }

  jwks(): Response {
    return Response.json({ keys: this.keys.map(({ jwk }) => jwk) });
  }

  readonly fetch: NonNullable<ResourceOptions["fetch"]> = async (url) => {
    this.fetched.push(url);
    return url === `${ISSUER}/.well-known/oauth-authorization-server`
      ? Response.json(this.metadata)
      : this.answer();
  };

  /** Signs an access token, with the newest key unless another one is given. */
  async sign(
    changes: Record<string, unknown> = {},
    header: Partial<JWTHeaderParameters> = {},
    key: Key | undefined = this.keys.at(-1),
  ): Promise<string> {
    if (!key) throw new Error("The issuer has no key.");
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: ISSUER,
      sub: "alice",
      aud: RESOURCE,
      client_id: "notes-agent",
      scope: "notes:read",
      iat: now,
      exp: now + 3600,
      jti: crypto.randomUUID(),
      ...changes,
    };
    const { alg, kid } = key;
    return new SignJWT(JSON.parse(JSON.stringify(claims)))
      .setProtectedHeader({ alg, kid, typ: "at+jwt", ...header })
      .sign(key.privateKey);
  }
}

export function requestWith(
  token: string | undefined,
  path = "/notes",
): Request {
  return new Request(`https://api.example.com${path}`, {
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
}
