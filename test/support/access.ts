import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { vi } from "vitest";

/** Cloudflare Access, as Baton sees it: a server of keys, and the JWTs that it signs. */

export const TEAM = "team.cloudflareaccess.com";
export const AUD = "32eafc7626e737136d9d7fb8a8d6d4a0";
/** The variables of a Baton behind Access. */
export const accessVariables = {
  ACCESS_TEAM_DOMAIN: TEAM,
  ACCESS_AUD: AUD,
  ACCESS_ROLES:
    "Alice@example.com=admin, oscar@example.com=operator,ci.access=login",
};

interface Key {
  kid: string;
  privateKey: CryptoKey;
  jwk: object;
}

/** Shared by the tests of a file, because an RSA key takes long to make. */
let firstKey: Promise<Key> | undefined;

async function makeKey(): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair("RS256", {
    extractable: true,
  });
  const kid = crypto.randomUUID();
  const jwk = {
    ...(await exportJWK(publicKey)),
    kid,
    alg: "RS256",
    use: "sig",
  };
  return { kid, privateKey, jwk };
}

export class FakeAccess {
  /** The URLs that were fetched. */
  readonly fetched: string[] = [];
  /** Answers a fetch of the keys. */
  answer: () => Promise<Response> | Response = () => this.jwks();
  #keys: Key[] = [];

  static async start(): Promise<FakeAccess> {
    const access = new FakeAccess();
    access.#keys = [await (firstKey ??= makeKey())];
    vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
      access.fetched.push(input instanceof Request ? input.url : String(input));
      return access.answer();
    });
    return access;
  }

  /** Makes a new key, which signs from now on. The older ones stay published. */
  async rotate(): Promise<void> {
    this.#keys.unshift(await makeKey());
  }

  jwks(): Response {
    const keys = this.#keys.map(({ jwk }) => jwk);
    return Response.json({ keys, public_cert: { kid: "x", cert: "y" } });
  }

  /** Signs a JWT as Access sends it. */
  jwt(
    claims: Record<string, unknown> = { email: "alice@example.com" },
    header: Record<string, unknown> = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const { kid, privateKey } = this.#keys[0]!;
    return new SignJWT({
      iss: `https://${TEAM}`,
      aud: [AUD],
      type: "app",
      iat: now,
      nbf: now,
      exp: now + 3600,
      ...claims,
    })
      .setProtectedHeader({ alg: "RS256", kid, typ: "JWT", ...header })
      .sign(privateKey);
  }
}
