import type { VerifiedToken } from "./options.ts";
import type { ProtectedResource } from "./protected-resource.ts";
import { scopeSet, union } from "./scopes.ts";

/** Adapters for the MCP SDK (`@modelcontextprotocol/server`). The types have the shape of its own, so that it is not imported. */

/** The `AuthInfo` of the SDK, which it passes on to tools. */
export interface McpAuthInfo {
  token: string;
  clientId: string;
  scopes: string[];
  /** Seconds since 1970. */
  expiresAt: number;
  /** The SDK names it in its own challenges. */
  resourceMetadataUrl: string;
  extra: { sub: string; claims: VerifiedToken["claims"] };
}

/** Says in the words of the SDK what is in a token. */
export function authInfoOf(
  { metadata_url }: ProtectedResource,
  { token, client_id, scopes, exp, sub, claims }: VerifiedToken,
): McpAuthInfo {
  return {
    token,
    clientId: client_id,
    scopes: [...scopes],
    expiresAt: exp,
    resourceMetadataUrl: metadata_url,
    extra: { sub, claims },
  };
}

/** Scopes for which the SDK answers 403 `insufficient_scope`. */
interface ScopeChallenge {
  scopes: readonly [string, ...string[]];
}

/**
 * Makes the `scopeChallenge` of a tool that needs further scopes. It names the scopes that the token has and those that are
 * missing, so that the client gets a token with all of them (step-up).
 *
 * @param scope the scopes of the tool, with spaces between them
 */
export function needsScope(scope: string) {
  const needed = scopeSet(scope);
  return ({
    authInfo: { scopes } = { scopes: [] },
  }: {
    authInfo?: { scopes: readonly string[] };
  }): ScopeChallenge | undefined => {
    if (needed.every((name) => scopes.includes(name))) return undefined;
    const [first = "", ...others] = union(scopes, needed);
    return { scopes: [first, ...others] };
  };
}
