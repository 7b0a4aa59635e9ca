import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { OAuthError } from "../oauth/errors.ts";
import type { AppEnv } from "./endpoint.ts";

/** The largest body. It is many times larger than a refresh request, and small enough to hold in memory. */
const MAX_BODY_BYTES = 16 * 1024;

/**
 * Reads the whole body, which is at most 16 KiB, before anything is decided by it. Hono keeps it, so that
 * `c.req.arrayBuffer()` and the like return it without reading again.
 *
 * @throws OAuthError `body_too_large`, or `body_incomplete` if the body breaks off or its chunks are malformed
 */
export function readBody(): MiddlewareHandler<AppEnv> {
  const limit = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      throw new OAuthError("body_too_large");
    },
  });
  return async function readBody(c, next) {
    if (c.req.raw.body) {
      try {
        await limit(c, async () => {
          await c.req.arrayBuffer();
        });
      } catch (error) {
        if (error instanceof OAuthError) throw error;
        throw new OAuthError("body_incomplete");
      }
    }
    await next();
  };
}
