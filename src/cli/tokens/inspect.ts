import { unwrapSecret } from "../../oauth/secret-floor.ts";
import { type Inspection, parseObject } from "./inspection.ts";
import { readJwt } from "./jwt.ts";
import { readRefreshToken } from "./refresh-token.ts";

/** The kinds that show nothing but what they are, by how they look. The first that fits is the one. */
const opaque: { looks: RegExp; kind: string; about: string }[] = [
  {
    looks: /^baton_cs_/,
    kind: "client_secret",
    about:
      "A client secret of Baton. Only a hash of it is stored, so nobody can tell whose it is. If it has leaked: `clients rotate-secret ID --old-secret-ttl PT0S`.",
  },
  {
    looks: /^baton_admin_/,
    kind: "admin_token",
    about: "A named admin token of Baton.",
  },
  {
    looks: /^def50200(?:[0-9a-f]{2}){80,}$/,
    kind: "league_token",
    about:
      "A refresh token or authorization code of league/oauth2-server or Laravel Passport. Its content is encrypted with that server's key.",
  },
  {
    looks: /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
    kind: "private_key",
    about:
      "A private key. Whoever has it can sign tokens, so give it to `wrangler secret put` only.",
  },
  {
    looks: /^[A-Za-z0-9+/_-]{43}=?$/,
    kind: "random_bytes",
    about:
      "32 random bytes in base64: an ADMIN_TOKEN, an ENCRYPTION_KEY, or a secret of another program. It has no readable content.",
  },
];

/**
 * Tells what a token is: its kind, and what can be read of it. It calls no server and verifies nothing.
 *
 * @param now in seconds since 1970
 * @returns undefined if it is nothing that Baton makes or takes
 */
export function inspect(text: string, now: number): Inspection | undefined {
  const token = unwrapSecret(text).replace(/^(?:bearer|dpop) +/i, "");
  return (
    readRefreshToken(token, now) ??
    readJwt(token, now) ??
    readPrivateJwk(token) ??
    readOpaque(token)
  );
}

function readOpaque(token: string): Inspection | undefined {
  const found = opaque.find(({ looks }) => looks.test(token));
  if (!found) return undefined;
  const { kind, about } = found;
  return { kind, about, verified: false };
}

/** A private key as a JWK, or a set of them (RFC 7517). */
function readPrivateJwk(token: string): Inspection | undefined {
  const parsed = parseObject(token);
  if (!parsed || !("kty" in parsed || "keys" in parsed)) return undefined;
  const isPrivate = /"(?:d|k)"\s*:/.test(token);
  return {
    kind: isPrivate ? "private_key" : "public_key",
    about: isPrivate
      ? "A private key. Whoever has it can sign tokens, so give it to `wrangler secret put` only."
      : "A public key. It may be published.",
    verified: false,
  };
}
