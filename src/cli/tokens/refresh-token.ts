import { base64url } from "jose";
import {
  offsets,
  pattern,
  PREFIX,
  readExpiry,
  VERSION,
} from "../../oauth/refresh-token-layout.ts";
import type { Inspection } from "./inspection.ts";

/** Reads a refresh token of Baton. Its family secret and its MAC are left out. Undefined: it is something else. */
export function readRefreshToken(
  token: string,
  now: number,
): Inspection | undefined {
  if (!token.startsWith(PREFIX)) return undefined;
  const kind = "refresh_token";
  if (!pattern.test(token)) {
    const length = PREFIX.length + (offsets.end / 3) * 4;
    const about = `It begins like a refresh token of Baton, but it is damaged: it has ${token.length} characters and not ${length}, or characters of another alphabet. Was it cut off when it was copied?`;
    return { kind, about, verified: false };
  }
  const bytes = base64url.decode(token.slice(PREFIX.length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(0);
  if (version !== VERSION) {
    const about = `A refresh token of another version of Baton: its format is ${version}, and this command line reads ${VERSION}.`;
    return { kind, about, verified: false };
  }
  const { expires_at } = readExpiry(view);
  const generation = view.getUint32(offsets.generation);
  const familyId = bytes.subarray(offsets.familyId, offsets.generation);
  const grant_id = Buffer.from(familyId).toString("hex");
  return {
    kind,
    about:
      "A refresh token of Baton. Only its newest generation can be exchanged for the next one. A used one that comes back ends the login, unless it comes within the client's refresh_token_retry_window or refresh_token_catch_up, or the login is bound to a key that the request does not prove.",
    verified: false,
    expired: expires_at <= now,
    grant_id,
    generation,
    expires_at,
    encryption_kid: base64url.encode(
      bytes.subarray(offsets.keyId, offsets.familyId),
    ),
  };
}
