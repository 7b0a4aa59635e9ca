/**
 * Describes a public key in one line: its type, its name, and the beginning of its number, by which people tell it from
 * another one.
 */
export function keyText(key: Readonly<Record<string, unknown>>): string {
  const { kty, crv, kid, alg, x, n, x5c } = key;
  const number = [x, n].find((part) => typeof part === "string") ?? "";
  return [
    [kty, crv].filter((part) => typeof part === "string").join(" "),
    ...(typeof alg === "string" ? [alg] : []),
    ...(typeof kid === "string" ? [`kid ${kid}`] : []),
    `${number.slice(0, 16)}…`,
    ...(Array.isArray(x5c)
      ? [`certificate …${String(x5c[0]).slice(-16)}`]
      : []),
  ].join(", ");
}
