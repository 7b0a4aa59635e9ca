import { generateKeyPairSync } from "node:crypto";
import { vi } from "vitest";

/** Keys and start times for the tests of labelled secrets. */

/** The time at which these tests begin, in milliseconds: so late that no alarm of theirs is due. */
export const T0 = Date.UTC(2090, 10, 26, 12);

/** The start time of a value: so many seconds after `T0`. */
export function startingAfter(seconds: number, value: string): string {
  const time = new Date(T0 + seconds * 1000).toISOString();
  return `from=${time.replace(".000", "")};${value}`;
}

/** Sets the clock to so many seconds after `T0`. */
export function setClock(seconds: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 + seconds * 1000 });
}

export function newEncryptionKey(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64();
}

/** Makes a private key for ES256 as a PEM. */
export function newPem(): string {
  return generateKeyPairSync("ec", { namedCurve: "P-256" })
    .privateKey.export({ format: "pem", type: "pkcs8" })
    .toString();
}
