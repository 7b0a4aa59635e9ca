import { decodeBase64 } from "../oauth/bytes.ts";
import { MISTYPED_START, misplacedStartProblem } from "../oauth/key-secret.ts";

/** PRIVATE_KEY cannot be used. The message says why, and quotes nothing of the key. */
export class KeyError extends Error {}

/** A key's text, without what a secret store has wrapped it in. */
export type KeyText = { pem: string } | { json: unknown } | { der: Uint8Array };

/** Many times the longest key. A Worker's secret has at most 5 KB. */
const MAX_CHARACTERS = 65_536;
/** How many wrappings are removed: quotes, JSON strings, base64. */
const MAX_LAYERS = 5;

/** What copying and converting a file may add, and nobody sees. */
const invisible = /[\0\u200b\ufeff]/g;
/** What stands before the value in an env file, or before base64 in some configurations. */
const prefix = /^(?:(?:export\s+)?PRIVATE_KEY\w*\s*=|base64:)\s*/;
/** A line break or a tab as a backslash and a letter, also if it was escaped several times. */
const escapedSpace = /\\{1,8}[nrt]/g;
const pemLine = /-----\s*(?:BEGIN|END)/;
const pemBegin = /-----\s*BEGIN/;
/** Text before a PEM that is of a tool or a program: attributes of PKCS #12, or a name with = and a quotation mark. */
const harmless = /^\s*(?:Bag|Key) Attributes|^[^;=]*(?:=[\s"'`\\]*)?$/;
const timestamp = /\d{4}-\d\d-\d\dT/;
const quoted = /^(["'`])([^]*)\1$/;
const base64 = /^[\w+/-]+={0,2}$/;
const controlCharacter = /[^\P{Cc}\s]/u;

/**
 * Removes what secret stores, env files and shells wrap a key in: quotation marks, a JSON string around it, base64 of
 * the whole file, escaped line breaks.
 *
 * @throws KeyError if neither a PEM nor JSON nor DER is inside
 */
export function unwrapKey(text: string): KeyText {
  if (text.length > MAX_CHARACTERS)
    throw new KeyError(
      `has over ${MAX_CHARACTERS} characters, which no key has: it must be a PEM, a JWK or a JWK set`,
    );
  return unwrapLayer(text, MAX_LAYERS);
}

function unwrapLayer(text: string, layers: number): KeyText {
  const bare = text.replaceAll(invisible, "").trim().replace(prefix, "");
  const json = parseJson(bare);
  // A PEM may have other text around it, so a start time there would be lost silently.
  const problem =
    typeof json === "object"
      ? undefined
      : (misplacedStartProblem(bare) ?? problemBeforePem(bare));
  if (problem !== undefined) throw new KeyError(problem);
  if (typeof json !== "string") {
    if (pemLine.test(bare)) return { pem: bare.replaceAll(escapedSpace, "\n") };
    const repaired = json ?? parseJson(withoutEscapes(bare));
    if (typeof repaired === "object") return { json: repaired };
  }
  const bytes = decodeWrapped(bare);
  // Every key in DER is a SEQUENCE, and no text of a key begins with this byte, which is a 0.
  if (bytes?.[0] === 0x30) return { der: bytes };
  const inner =
    typeof json === "string"
      ? json
      : (quoted.exec(bare)?.[2] ?? (bytes && decodeText(bytes)));
  if (inner === undefined || layers === 0) throw new KeyError(likeness(bare));
  return unwrapLayer(inner, layers - 1);
}

/** Returns the problem of the text before a PEM, if it may be a start time with a mistake in it. */
function problemBeforePem(text: string): string | undefined {
  const begin = text.search(pemBegin);
  if (begin <= 0) return undefined;
  const before = text.slice(0, begin).replaceAll(escapedSpace, " ");
  return harmless.test(before) && !timestamp.test(before)
    ? undefined
    : MISTYPED_START;
}

/** Parses JSON. Undefined if the text is not JSON: the parser's own message would quote the key. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Repairs JSON whose quotation marks were escaped, or whose line breaks were, or that was cut into lines. */
function withoutEscapes(text: string): string {
  return text
    .replaceAll(escapedSpace, "")
    .replaceAll(/\\{1,8}"/g, '"')
    .replaceAll(/[\r\n\t]/g, "");
}

/** Decodes base64 in either alphabet (RFC 4648 sections 4 and 5), also in lines. */
function decodeWrapped(text: string): Uint8Array | undefined {
  const line = text.replaceAll(escapedSpace, "").replaceAll(/\s/g, "");
  if (!base64.test(line)) return undefined;
  return decodeBase64(line.replaceAll("-", "+").replaceAll("_", "/"));
}

/** Decodes text, which some shells write as UTF-16. Undefined: the bytes are not a text. */
function decodeText(bytes: Uint8Array): string | undefined {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  try {
    const decoder = new TextDecoder(isUtf16 ? "utf-16le" : "utf-8", {
      fatal: true,
      ignoreBOM: false,
    });
    const text = decoder.decode(bytes);
    return controlCharacter.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** What is often put in the place of a key, and what to say about it. */
const likenesses: [RegExp, string][] = [
  [
    /^(?:ssh-|ecdsa-sha2-)/,
    "is a public key of SSH, and must be a private key",
  ],
  [/^PuTTY-/, "is a key of PuTTY: export it as a PEM"],
  [
    /^\$|^%\w+%$|^\{\{|^<.*>$/,
    "is the name of a variable or a command, and must be the key itself: nothing has replaced the name",
  ],
  [
    /^(?:[@~.]?[/\\]|file:|[a-z]:\\)|^[^\s{]*\.(?:pem|key|p8|der|jwks?|json|txt)$/i,
    "is the name of a file, and must be what is in it: npx wrangler secret put PRIVATE_KEY < FILE",
  ],
  [/^[^{;]{0,80};/, MISTYPED_START],
  [
    /^\{\s*\w+\s*:/,
    "is neither a PEM nor JSON: it is a JWK without quotation marks, which a shell has removed",
  ],
  [
    /^[{["]/,
    "is neither a PEM nor JSON: it begins like a JWK, and is damaged or cut off, perhaps after its first line",
  ],
];

/** Says what a text looks like that is not a key. It quotes nothing, because the text may be almost a key. */
function likeness(text: string): string {
  const [, problem] = likenesses.find(([pattern]) => pattern.test(text)) ?? [];
  return (
    problem ??
    "is neither a PEM nor JSON: it must be a PEM, a JWK or a JWK set, or one of these in base64"
  );
}
