import type { Refused } from "./errors.ts";

/** RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). */
export const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Parses a `scope` string into its set of scopes, in the order of the string. Additional spaces have no
 * meaning, because careless clients join lists with them.
 *
 * @returns undefined if the string names no scope, or does not follow RFC 6749 section 3.3 otherwise
 */
export function parseScope(scope: string): string[] | undefined {
  const names = scopeSet(scope);
  return names.length > 0 && names.every((name) => scopeToken.test(name))
    ? names
    : undefined;
}

/** Like `parseScope`, for a string that is valid already. A string without a scope is the empty set. */
export function scopeSet(scope: string): string[] {
  return [...new Set(scope.split(" ").filter((name) => name !== ""))];
}

/** The scopes that a request asks for. Undefined: it does not name any. */
export type RequestedScope = readonly string[] | "malformed" | undefined;

/** Reads the parameter `scope` of a form or query. */
export function requestedScope(parameter: string | undefined): RequestedScope {
  return parameter === undefined
    ? undefined
    : (parseScope(parameter) ?? "malformed");
}

/** Reads a field `scope` of a JSON body. There the empty string asks for no scope. */
export function requestedScopeInJson(
  scope: string | undefined,
): RequestedScope {
  return scope === "" ? [] : requestedScope(scope);
}

/**
 * Drops the requested scopes that a client may not have (RFC 6749 section 3.3). If no scope is left, nothing is
 * dropped, and `finalizeScopes` refuses them.
 *
 * @param allowed the scopes that the client may have today
 */
export function dropScopes(
  requested: RequestedScope,
  allowed: readonly string[],
): { scope: RequestedScope; dropped: string[] } {
  if (requested === undefined || requested === "malformed")
    return { scope: requested, dropped: [] };
  const scope = requested.filter((name) => allowed.includes(name));
  if (scope.length === 0) return { scope: requested, dropped: [] };
  const dropped = requested.filter((name) => !allowed.includes(name));
  return { scope, dropped };
}

/**
 * Decides the scopes of an access token: the requested ones, or all that were granted (RFC 6749 section 6). A
 * granted scope that the client may no longer have is left out without an error, unless it is requested by
 * name.
 *
 * @param granted the scopes of the authorization
 * @param allowed the scopes that the client may have today
 */
export function finalizeScopes(
  requested: RequestedScope,
  granted: readonly string[],
  allowed: readonly string[],
): { scope: string[] } | Refused {
  if (requested === "malformed") return { refused: "scope_malformed" };
  const available = granted.filter((scope) => allowed.includes(scope));
  if (requested === undefined) {
    const lostAll = available.length === 0 && granted.length > 0;
    return lostAll ? { refused: "scope_all_lost" } : { scope: available };
  }
  const forbidden = requested.find((scope) => !available.includes(scope));
  return forbidden === undefined
    ? { scope: [...requested] }
    : { refused: "scope_not_granted", subject: forbidden };
}
