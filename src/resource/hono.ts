import type { MiddlewareHandler } from "hono";
import type { VerifiedToken } from "./options.ts";
import type { ProtectedResource } from "./protected-resource.ts";

/** The variables of the context behind the middleware. */
export interface TokenVariables {
  Variables: { token: VerifiedToken };
}

/**
 * Makes middleware for Hono that lets requests with a good token pass. It answers requests for the metadata document as
 * well, if it stands before the routes. It may stand before a route again, for further scopes.
 *
 * @param scope scopes that are needed besides those of the resource's options
 */
export function protect(
  resource: ProtectedResource,
  scope = "",
): MiddlewareHandler<TokenVariables> {
  return async function protectedByToken(c, next) {
    const request = c.req.raw;
    const answer = resource.metadata(request);
    if (answer) return answer;
    const token = await resource.authorize(request, scope);
    if (token instanceof Response) return token;
    c.set("token", token);
    await next();
    return undefined;
  };
}
