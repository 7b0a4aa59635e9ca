import { decodeJwt } from "jose";
import type { LivingFamily } from "../../src/oauth/family/record.ts";
import { type HasAccessToken, withStorage } from "./login-object.ts";

/** What a login says of a person, in all seven fields. */
export const everyLoginClaim = {
  auth_time: 1_700_000_000,
  acr: "urn:example:two-factor",
  amr: ["pwd", "otp"],
  sid: "session-1",
  claims: { roles: ["editor"], tenant: { id: 7, name: "Ärzte & Söhne" } },
  id_token_claims: { email: "alice@example.com", email_verified: true },
  userinfo: { picture: "https://example.com/alice.png" },
};

/** The part of them that an access token has. */
export const inAccessToken = {
  auth_time: everyLoginClaim.auth_time,
  acr: everyLoginClaim.acr,
  amr: everyLoginClaim.amr,
  ...everyLoginClaim.claims,
};

/** The claims that every access token of a user has, in the format of RFC 9068. */
export const ownClaims = [
  "iss",
  "sub",
  "aud",
  "client_id",
  "scope",
  "iat",
  "exp",
  "jti",
];

/** Reads the claims of an access token that are not of every one. */
export function extraClaims({
  access_token,
}: HasAccessToken): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(decodeJwt(access_token)).filter(
      ([name]) => !ownClaims.includes(name),
    ),
  );
}

/** Changes the stored login of a family to values that no operation of the server would write. */
export function rewriteLogin(
  tokens: HasAccessToken,
  fields: Record<string, unknown>,
): Promise<void> {
  return withStorage(tokens, (storage) => {
    const record = storage.kv.get<LivingFamily>("family")!;
    const login = { ...record.login, ...fields };
    storage.kv.put("family", { ...record, login });
  });
}
