import { base64url } from "jose";

/** What a text is, as far as that can be seen without a key and without a server. */
export interface Inspection {
  kind: string;
  /** A sentence for people: what it is, and what may be done with it. */
  about: string;
  /** Only a server with the keys can verify a token. */
  verified: false;
  /** The parts that can be read, without any secret part. */
  [part: string]: unknown;
}

/** Parses a JSON object. Undefined: it is something else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" &&
      parsed !== null &&
      !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Decodes base64url. Undefined: it is something else. */
export function decode(text: string): Uint8Array | undefined {
  try {
    return base64url.decode(text);
  } catch {
    return undefined;
  }
}
