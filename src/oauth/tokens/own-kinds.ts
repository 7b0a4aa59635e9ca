import { openAccessToken, type VerifiedAccessToken } from "./access-token.ts";
import {
  hashFamilySecret,
  isRefreshToken,
  openRefreshToken,
} from "./refresh-token.ts";
import type { Server } from "../server.ts";

/** A token that this server made, and the family that it belongs to, if it does. */
export type KnownToken =
  | {
      kind: "refresh_token";
      family_id: Uint8Array;
      secret_hash: Uint8Array;
      generation: number;
      expires_at: number;
    }
  | ({ kind: "access_token"; family_id: Uint8Array } & VerifiedAccessToken)
  /** Of the client itself (RFC 6749 section 4.4): no login is behind it. */
  | ({ kind: "client_access_token" } & VerifiedAccessToken);

/**
 * What a token of either kind says, expired or not. Nothing is asked of any storage: what is not
 * genuine is undefined.
 */
export async function lookUpToken(
  server: Server,
  token: string,
): Promise<KnownToken | undefined> {
  if (isRefreshToken(token)) {
    const claims = await openRefreshToken(server.tokenKeys, token);
    if (typeof claims === "string") return undefined;
    const { family_secret, ...rest } = claims;
    const secret_hash = await hashFamilySecret(family_secret);
    return { kind: "refresh_token", ...rest, secret_hash };
  }
  const { verificationKeys, settings } = server;
  const verified = await openAccessToken(
    verificationKeys,
    settings.issuer,
    token,
  );
  if (!verified) return undefined;
  const { family_id } = verified;
  return family_id
    ? { kind: "access_token", ...verified, family_id }
    : { kind: "client_access_token", ...verified };
}
