import { OAuthError } from "../oauth/errors.ts";

/** A storage call failed: 503, and nothing was consumed. */
export async function reach<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new OAuthError("storage_unavailable", {
      headers: { "Retry-After": RETRY_AFTER_SECONDS },
      cause: error,
    });
  }
}

/** One second: KV takes one write a second a key, and a Durable Object restarts in less. */
const RETRY_AFTER_SECONDS = "1";
