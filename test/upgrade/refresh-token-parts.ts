/** What a refresh token says (docs/storage.md), without its MAC. */
export function partsOf(token: string) {
  const bytes = Buffer.from(token.replace("baton_rt_", ""), "base64url");
  return {
    family: bytes.subarray(5, 37).toString("hex"),
    generation: bytes.readUInt32BE(37),
    /** Why it expires. Before 0.4.0 no token says it. */
    reason: bytes.readUInt8(41),
    expires_at: bytes.readUIntBE(43, 6),
    secret: bytes.subarray(49, 73).toString("hex"),
  };
}

/** The reason of a token whose login ends when the token expires. */
export const LOGIN_ENDS = 2;
