import { decodeProtectedHeader } from "jose/decode/protected_header";
import { OAuthError } from "../errors.ts";
import { isIdTokenOf, verifyIdToken } from "../openid/id-token.ts";
import { signedTypes } from "../keys.ts";
import type { Server } from "../server.ts";
import type { TokenKind } from "../token-kind.ts";

/**
 * Makes the kind of this server's ID tokens. An ID token says who signed in and gives access to nothing, so it is never active
 * and ends no login. It is a kind so that somebody who presents it learns what it is. It costs no storage call.
 */
export function idTokenKind({
  settings,
  verificationKeys,
}: Pick<Server, "settings" | "verificationKeys">): TokenKind {
  const verify = (token: string) =>
    verifyIdToken(verificationKeys, settings.issuer, token);
  return {
    recognises: (token) => typeOf(token) === signedTypes.idToken,

    async revoke(token) {
      if (await verify(token)) throw new OAuthError("id_token_not_revocable");
    },

    async read(token) {
      const claims = await verify(token);
      if (!claims) return undefined;
      const { family_id, aud, sub, iat, exp } = claims;
      return {
        kind: "id_token",
        family_id,
        login: { client_id: aud, subject: sub },
        issued_at: iat,
        expires_at: exp,
        isOf: async (family) => isIdTokenOf(family, claims),
      };
    },

    introspect: async () => undefined,
  };
}

/** A JWT in compact form (RFC 7519 section 3). */
const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Reads `typ` of a JWT (RFC 7519 section 5.1). Undefined: it has none, or it is not a JWT. */
function typeOf(token: string): string | undefined {
  // jose throws an error, which costs a new isolate milliseconds.
  if (!jwt.test(token)) return undefined;
  try {
    return decodeProtectedHeader(token).typ;
  } catch {
    return undefined;
  }
}
