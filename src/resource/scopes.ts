/** Splits a list of scopes (RFC 6749 section 3.3). Each scope is in the result once. */
export function scopeSet(scope = ""): string[] {
  return [...new Set(scope.split(" ").filter((name) => name !== ""))];
}

/** Joins lists of scopes. Each scope is in the result once. */
export function union(...lists: (readonly string[])[]): string[] {
  return [...new Set(lists.flat())];
}
