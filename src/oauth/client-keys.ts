import * as base64url from "jose/base64url";
import * as v from "valibot";
import { type publicKeyMembers, secretKeyProblem } from "./jwk-members.ts";
import { maxCharacters, parse, rule } from "./schema.ts";

/**
 * The public keys of a client (RFC 7591 section 2, RFC 7517 section 5). The members that are kept are those that checking
 * a signature or a certificate needs. All others are dropped.
 */

/** The most keys of a client. It has several only while one replaces another. */
const MAX_KEYS = 10;
/** The longest chain of certificates of a key. Only the first one is the client's own. */
const MAX_CERTIFICATES = 4;
/** RFC 7518 section 3.3: a key of this size or larger must be used. */
const MIN_RSA_BITS = 2048;
/** The time of a check grows with the size of the key, and the key is the choice of a client. */
const MAX_RSA_BITS = 8192;

/** The algorithms of each type of key (RFC 7518 section 3.1, RFC 8037, RFC 9864). All are of key pairs. */
const algorithmsOf: Readonly<Record<string, readonly string[]>> = {
  "EC P-256": ["ES256"],
  "EC P-384": ["ES384"],
  "EC P-521": ["ES512"],
  "OKP Ed25519": ["EdDSA", "Ed25519"],
  RSA: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
};

/** The size of a coordinate, in bytes. */
const coordinateBytes: Readonly<Record<string, number>> = {
  "P-256": 32,
  "P-384": 48,
  "P-521": 66,
  Ed25519: 32,
};

function shortText(max: number) {
  return v.optional(v.pipe(v.string(), maxCharacters(max)));
}

/** Makes the schema of the members of a public key that are kept (RFC 7517 section 4). */
function keyMembers() {
  const number = v.optional(
    v.pipe(
      v.string(),
      maxCharacters(1400),
      rule((text) => (bytesOf(text) ? undefined : "must be base64url")),
    ),
  );
  return v.object({
    kty: v.picklist(["EC", "OKP", "RSA"]),
    crv: v.optional(v.picklist(["P-256", "P-384", "P-521", "Ed25519"])),
    x: number,
    y: number,
    n: number,
    e: number,
    kid: shortText(255),
    use: v.optional(v.picklist(["sig"])),
    key_ops: v.optional(
      v.pipe(
        v.array(v.pipe(v.string(), maxCharacters(20))),
        v.maxLength(10),
        rule((operations) =>
          operations.includes("verify") ? undefined : "must have verify",
        ),
      ),
    ),
    alg: shortText(20),
    x5c: v.optional(
      v.pipe(
        v.array(v.pipe(v.string(), maxCharacters(4096))),
        v.minLength(1),
        v.maxLength(MAX_CERTIFICATES),
      ),
    ),
    "x5t#S256": v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[\w-]{43}$/, "must be 32 bytes in base64url"),
      ),
    ),
  } satisfies Record<(typeof publicKeyMembers)[number], v.GenericSchema>);
}

function makePublicKey() {
  return v.pipe(
    v.unknown(),
    // Before anything is dropped, because the owner of such a key must replace it.
    rule(secretKeyProblem),
    keyMembers(),
    v.rawCheck(({ dataset, addIssue }) => {
      // A member that is wrong by itself is told already.
      const isWrong = !dataset.typed || dataset.issues !== undefined;
      const message = isWrong ? undefined : keyProblem(dataset.value);
      if (message !== undefined) addIssue({ message });
    }),
  );
}

let made: ReturnType<typeof makePublicKey> | undefined;

/** One key. The schema is made with the first key, because every start evaluates this file, and few clients have keys. */
const publicKey = v.lazy(() => (made ??= makePublicKey()));

/** The public keys of a client. */
export const clientKeys = v.pipe(
  v.object({
    keys: v.pipe(v.array(publicKey), v.minLength(1), v.maxLength(MAX_KEYS)),
  }),
  v.description(
    `The public keys of the client (RFC 7591 section 2), for private_key_jwt and self_signed_tls_client_auth: at most ${MAX_KEYS}. RSA keys have at least ${MIN_RSA_BITS} bits. A key with a private member is refused. Members that no check needs are dropped. Not together with jwks_uri.`,
  ),
);

export type ClientKey = v.InferOutput<ReturnType<typeof keyMembers>>;
export type ClientKeys = v.InferOutput<typeof clientKeys>;

/**
 * Returns the keys of a set that can be used here. A set that is for many servers may have others, and they are passed over
 * (RFC 7517 section 5).
 *
 * @param certificates `kept`: the keys have their certificates, for self_signed_tls_client_auth. A key whose certificates
 *   cannot be read has none
 * @returns what is wrong with the set, such as with its first key, if none can be used
 */
export function usableKeys(
  set: { keys?: unknown },
  certificates: "kept" | "dropped" = "dropped",
): ClientKeys | string {
  if (!Array.isArray(set.keys) || set.keys.length === 0)
    return "must have at least one key";
  if (set.keys.length > MAX_KEYS) return `must have at most ${MAX_KEYS} keys`;
  const results = set.keys.map((key) => {
    const whole =
      certificates === "kept" ? parse(publicKey, key) : { data: undefined };
    return whole.data ? whole : parse(publicKey, withoutCertificates(key));
  });
  const keys = results.flatMap(({ data }) => data ?? []);
  if (keys.length > 0) return { keys };
  const [issue] = results[0]?.issues ?? [];
  return `has no key that can be used here: keys.0 ${[...(issue?.path ?? []), issue?.message].join(" ")}`;
}

function withoutCertificates(key: unknown): unknown {
  if (typeof key !== "object" || key === null) return key;
  const {
    x5c: _chain,
    "x5t#S256": _hash,
    ...rest
  } = { ...key } as Record<string, unknown>;
  return rest;
}

function keyProblem(key: ClientKey): string | undefined {
  const { kty, crv, alg } = key;
  const type = crv === undefined ? kty : `${kty} ${crv}`;
  const algorithms = algorithmsOf[type];
  if (!algorithms)
    return `must have one of these types: ${Object.keys(algorithmsOf).join(", ")}`;
  if (alg !== undefined && !algorithms.includes(alg))
    return `must have an alg that fits its type: ${algorithms.join(", ")}`;
  const problem = kty === "RSA" ? rsaProblem(key) : curveProblem(key);
  return problem ?? certificateProblem(key);
}

function rsaProblem({ n, e }: ClientKey): string | undefined {
  if (n === undefined || e === undefined) return "must have n and e";
  const bits = bitsOf(bytesOf(n) ?? []);
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)
    return `must have ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`;
  const exponent = bytesOf(e) ?? new Uint8Array();
  const size = bitsOf(exponent);
  const isOdd = ((exponent.at(-1) ?? 0) & 1) === 1;
  return isOdd && size > 1 && size <= 32
    ? undefined
    : "must have an odd e of at least 3";
}

function curveProblem({ kty, crv, x, y }: ClientKey): string | undefined {
  const size = coordinateBytes[crv ?? ""];
  const needed = kty === "EC" ? [x, y] : [x];
  const fits = needed.every(
    (coordinate) =>
      coordinate !== undefined && bytesOf(coordinate)?.length === size,
  );
  return fits
    ? undefined
    : `must have ${kty === "EC" ? "x and y" : "x"} of ${size} bytes`;
}

/**
 * RFC 7517 section 4.7: the first certificate is that of the key. A certificate has the bytes of its public key, so a mix-up
 * is found without reading its structure.
 */
function certificateProblem({ x5c, n, x, y }: ClientKey): string | undefined {
  if (!x5c) return undefined;
  const [first, ...others] = x5c.map(derOf);
  if (!first || others.includes(undefined))
    return "must have certificates in base64 (not base64url) as x5c";
  const parts = [n, x, y].flatMap((part) =>
    part === undefined ? [] : (bytesOf(part) ?? []),
  );
  const expected = String.fromCharCode(...parts.flatMap((part) => [...part]));
  return first.includes(expected)
    ? undefined
    : "must have a certificate of this key as the first one of x5c";
}

/** Decodes standard base64, with one character for each byte. Undefined: it is something else. */
function derOf(text: string): string | undefined {
  return /^[A-Za-z\d+/]+={0,2}$/.test(text) && text.length % 4 === 0
    ? atob(text)
    : undefined;
}

/** Decodes base64url without padding. Undefined: it is something else. */
function bytesOf(text: string): Uint8Array | undefined {
  return /^[\w-]+$/.test(text) && text.length % 4 !== 1
    ? base64url.decode(text)
    : undefined;
}

/** Returns the number of bits of a number, without the zeros before it. */
function bitsOf(bytes: Iterable<number>): number {
  const rest = [...bytes];
  const first = rest.findIndex((byte) => byte !== 0);
  if (first < 0) return 0;
  return (rest.length - first) * 8 - Math.clz32(rest[first] ?? 0) + 24;
}
