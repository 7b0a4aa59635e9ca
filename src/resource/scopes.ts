/** Splits a list of scopes (RFC 6749 section 3.3). Each scope is in the result once. */
export function scopeSet(scope = ""): string[] {
  return [...new Set(scope.split(" ").filter((name) => name !== ""))];
}

/** Joins lists of scopes. Each scope is in the result once. */
export function union(...lists: (readonly string[])[]): string[] {
  return [...new Set(lists.flat())];
}

/** Tells whether a text is the name of one scope (`scope-token` of RFC 6749 section 3.3). */
export function isScope(name: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name);
}
