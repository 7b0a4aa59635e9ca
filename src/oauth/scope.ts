import type { Refused } from "./errors.ts";

/** RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). */
export const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * The set of scopes that a string names, in its order without repeats.
 *
 * @returns undefined if the string is not what RFC 6749 section 3.3 calls a scope
 */
export function parseScope(scope: string): string[] | undefined {
  const tokens = scope.split(" ");
  return tokens.every((token) => scopeToken.test(token))
    ? [...new Set(tokens)]
    : undefined;
}

/** Like `parseScope`, for strings that were checked when they were stored; '' is the empty set. */
export function scopeSet(scope: string): string[] {
  return scope === "" ? [] : scope.split(" ");
}

/** What a request said about scope: nothing, a set, or something that is no scope. */
export type RequestedScope = readonly string[] | "malformed" | undefined;

export function requestedScope(parameter: string | undefined): RequestedScope {
  return parameter === undefined
    ? undefined
    : (parseScope(parameter) ?? "malformed");
}

/** In JSON the empty string is the empty set, and nothing is nothing: who asks for none gets none. */
export function requestedScopeInJson(
  scope: string | undefined,
): RequestedScope {
  return scope === "" ? [] : requestedScope(scope);
}

/**
 * Which scopes an access token gets (RFC 6749 section 6): all that were granted, or fewer.
 *
 * A scope that the client has lost since falls away silently, unless it is asked for by name.
 *
 * @param requested what the request asks for
 * @param granted what the authorization is for
 * @param allowed what the client may have today
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
  const beyond = requested.find((scope) => !available.includes(scope));
  return beyond === undefined
    ? { scope: [...requested] }
    : { refused: "scope_not_granted", subject: beyond };
}
