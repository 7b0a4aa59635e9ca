import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { ISSUER, server, type TestServer, type Tokens } from "./server.ts";

/** Clients that authenticate with a key (`private_key_jwt`). */

/** RFC 7523 section 2.2. */
export const ASSERTION_TYPE =
  "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** A key pair of a client. */
export interface ClientKey {
  alg: string;
  privateKey: CryptoKey;
  /** The public key, with `kid` and `alg`. */
  jwk: Record<string, unknown>;
}

/** Makes a key pair with a name. Left out: `kid` and `alg` are not in its JWK. */
export async function makeKey(alg = "ES256", kid?: string): Promise<ClientKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, {
    extractable: true,
  });
  const named = kid === undefined ? {} : { kid, alg };
  return {
    alg,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), ...named },
  };
}

/** Changes of an assertion. A claim that is undefined is left out. */
export interface Saying {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
}

/** Makes the claims of a good assertion. */
export function goodClaims(client_id: string): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: client_id,
    sub: client_id,
    aud: ISSUER,
    jti: crypto.randomUUID(),
    iat: now,
    exp: now + 60,
  };
}

/** Makes an assertion. */
export function assertionOf(
  client_id: string,
  { alg, privateKey, jwk }: ClientKey,
  { header = {}, claims = {} }: Saying = {},
): Promise<string> {
  const { kid } = jwk as { kid?: string };
  return new SignJWT({ ...goodClaims(client_id), ...claims })
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }), ...header })
    .sign(privateKey);
}

/** Makes the parameters of an assertion. */
export function asParameters(client_assertion: string): Record<string, string> {
  return { client_assertion_type: ASSERTION_TYPE, client_assertion };
}

/** A client with a key. */
export class KeyClient {
  readonly client_id: string;
  key: ClientKey;
  readonly server: TestServer;

  constructor(client_id: string, key: ClientKey, at: TestServer) {
    this.client_id = client_id;
    this.key = key;
    this.server = at;
  }

  /** Registers a client with a key in its record. */
  static async make(
    metadata: Record<string, unknown> = {},
    { key, at = server }: { key?: ClientKey; at?: TestServer } = {},
  ): Promise<KeyClient> {
    const own = key ?? (await makeKey());
    const { client_id } = await at.makeClient({
      token_endpoint_auth_method: "private_key_jwt",
      ...("jwks_uri" in metadata ? {} : { jwks: { keys: [own.jwk] } }),
      ...metadata,
    });
    return new KeyClient(client_id, own, at);
  }

  assertion(saying?: Saying): Promise<string> {
    return assertionOf(this.client_id, this.key, saying);
  }

  /** Makes the parameters of a new assertion. */
  async parameters(saying?: Saying): Promise<Record<string, string>> {
    return asParameters(await this.assertion(saying));
  }

  /** Refreshes with a new assertion. */
  async refresh(refresh_token: string, saying?: Saying): Promise<Response> {
    return this.server.token({
      grant_type: "refresh_token",
      refresh_token,
      ...(await this.parameters(saying)),
    });
  }

  /** Refreshes with a new assertion, and expects success. @returns the next refresh token */
  async expectRefresh(refresh_token: string): Promise<string> {
    const response = await this.refresh(refresh_token);
    if (response.status !== 200) throw new Error(await response.text());
    return (await response.json<Tokens>()).refresh_token;
  }

  login(grant?: Record<string, unknown>): Promise<Tokens> {
    return this.server.login(this, grant);
  }
}
