import * as v from "valibot";
import { decodeBase64 } from "./oauth/bytes.ts";
import { lifetimeProblem, retryWindowProblem } from "./oauth/duration.ts";
import { OAuthError, type Problem } from "./oauth/errors.ts";
import { type Lifetimes, retryWindowExceeds } from "./oauth/lifetimes.ts";
import { isLoopback } from "./oauth/redirect-uri.ts";
import { parse, rule } from "./oauth/schema.ts";
import {
  isOneRepeated,
  unwrapSecret,
  weakSecretProblem,
} from "./oauth/secret-floor.ts";
import { accessTokenFormats, type Settings } from "./oauth/settings.ts";
import type { TokenKey, TokenKeys } from "./oauth/keys.ts";
import { deriveTokenKey } from "./oauth/tokens/token-keys.ts";
import { type LeagueKey, LeagueKeyError, readLeagueKey } from "./league/key.ts";
import { KeyError } from "./platform/key-text.ts";
import { readSigningKeys, type SigningKeys } from "./platform/signing-keys.ts";

/** Variables and secrets, parsed, except PRIVATE_KEY, which costs the most time (`loadSigningKeys`). */
export interface Configuration {
  settings: Settings;
  tokenKeys: TokenKeys;
  /** The key of the old server whose refresh tokens are accepted. Undefined: none are accepted. */
  leagueKey: LeagueKey | undefined;
}

/** The size of ENCRYPTION_KEY: 256 bits, that of the SHA-256 in the HMAC and HKDF that use it. */
const ENCRYPTION_KEY_BYTES = 32;

const NOT_SET = "is not set";

const text = v.string(({ input }) =>
  input === undefined ? NOT_SET : "must be a string",
);

/** Makes the schema of a string that must obey a rule. `problem` returns what is wrong, or undefined. */
function stringWithRule(problem: (value: string) => string | undefined) {
  return v.pipe(text, rule(problem));
}

/** The values as `valuesIn` returns them. */
const variables = v.object(
  {
    ISSUER: stringWithRule(issuerProblem),
    AUDIENCE: v.optional(text),
    ACCESS_TOKEN_FORMAT: v.optional(
      v.picklist(
        accessTokenFormats,
        `must be ${accessTokenFormats.join(" or ")}`,
      ),
      "rfc9068",
    ),
    ACCESS_TOKEN_TTL: stringWithRule(lifetimeProblem),
    REFRESH_TOKEN_TTL: stringWithRule(lifetimeProblem),
    REFRESH_TOKEN_MAX_AGE: stringWithRule(lifetimeProblem),
    REFRESH_TOKEN_RETRY_WINDOW: stringWithRule(retryWindowProblem),
    LOGIN_URL: v.optional(stringWithRule(loginUrlProblem)),
    PASSPORT_TOKEN_ENDPOINT: v.optional(
      v.literal("on", "must be on, or empty"),
    ),
    CORS_ORIGINS: v.optional(
      v.pipe(stringWithRule(originsProblem), v.transform(splitList)),
    ),
    ALLOWED_HOSTS: v.optional(
      v.pipe(stringWithRule(hostsProblem), v.transform(splitList)),
    ),
    PRIVATE_KEY: text,
    PRIVATE_KEY_PASSPHRASE: v.optional(text),
    ENCRYPTION_KEY: v.pipe(
      stringWithRule(encryptionKeyProblem),
      v.transform(encryptionKeys),
    ),
    ADMIN_TOKEN: v.optional(stringWithRule(adminTokenProblem)),
    LEAGUE_ENCRYPTION_KEY: v.optional(text),
  },
  NOT_SET,
);

type Name = keyof typeof variables.entries;
type Values = { [N in Name]?: unknown };

/** The secrets that may be surrounded by what is not a part of them, such as quotation marks. */
const wrapped: readonly string[] = [
  "PRIVATE_KEY",
  "ENCRYPTION_KEY",
  "ADMIN_TOKEN",
] satisfies Name[];

/**
 * Returns the values of the variables and secrets that are set. An empty value counts as not set, and secrets
 * are without what surrounds them. That of PRIVATE_KEY stays, because the reader of keys knows more forms.
 */
function valuesIn(env: object): Values {
  const values: Values = {};
  for (const name of Object.keys(variables.entries) as Name[]) {
    const given: unknown = Reflect.get(env, name);
    const isWrapped = typeof given === "string" && wrapped.includes(name);
    const value = isWrapped ? unwrapSecret(given) : given;
    if (value !== undefined && value !== "")
      values[name] = name === "PRIVATE_KEY" ? given : value;
  }
  return values;
}

/** Tells whether a URL of plain http may be ISSUER or LOGIN_URL. */
export type PlainHttpRule = (url: string) => boolean;

/**
 * Parses variables and secrets.
 *
 * @param env the Worker's bindings
 * @param mayBePlain left out: only a loopback address may use plain http
 * @throws OAuthError `configuration_malformed` with every problem, not only the first, and that of PRIVATE_KEY too.
 *   If PRIVATE_KEY alone is malformed, `loadSigningKeys` reports it
 */
export async function loadConfiguration(
  env: object,
  mayBePlain: PlainHttpRule = isLoopback,
): Promise<Configuration> {
  const values = valuesIn(env);
  const { data, issues = [] } = parse(variables, values);
  const problems = issues.map(({ path, message }) => ({
    name: path.join("."),
    problem: message,
  }));

  for (const name of ["ISSUER", "LOGIN_URL"] as const) {
    const { data: url } = parse(variables.entries[name], values[name]);
    const problem = url && transportProblem(url, mayBePlain);
    if (problem) problems.push({ name, problem });
  }
  const leagueKey = await leagueKeyOf(values).catch((error: unknown) => {
    if (!(error instanceof LeagueKeyError)) throw error;
    problems.push({ name: "LEAGUE_ENCRYPTION_KEY", problem: error.message });
    return undefined;
  });
  const lifetimes = data && lifetimesIn(data);
  const shorter = lifetimes && retryWindowExceeds(lifetimes);
  if (shorter) {
    const problem = `is longer than ${shorter.toUpperCase()}, and must not be`;
    problems.push({ name: "REFRESH_TOKEN_RETRY_WINDOW", problem });
  }
  if (data && lacksHostOf(data))
    problems.push({
      name: "ALLOWED_HOSTS",
      problem: "must contain the host name of ISSUER, or nobody reaches it",
    });
  if (!data || !lifetimes || problems.length > 0) {
    const { problem } = await signingKeysOf(values);
    if (problem) problems.push(problem);
    throw new OAuthError("configuration_malformed", { problems });
  }

  return {
    leagueKey,
    tokenKeys: (await Promise.all(
      data.ENCRYPTION_KEY.map((key) => deriveTokenKey(decodeBase64(key)!)),
    )) as [TokenKey, ...TokenKey[]],
    settings: {
      issuer: data.ISSUER,
      audience: data.AUDIENCE ?? data.ISSUER,
      access_token_format: data.ACCESS_TOKEN_FORMAT,
      ...lifetimes,
      login_url: data.LOGIN_URL,
      passport_token_endpoint: data.PASSPORT_TOKEN_ENDPOINT === "on",
      cors_origins: data.CORS_ORIGINS,
      allowed_hosts: data.ALLOWED_HOSTS,
      admin_token: data.ADMIN_TOKEN,
    },
  };
}

/**
 * Imports and checks the keys of PRIVATE_KEY, if `loadConfiguration` has found nothing wrong.
 *
 * @throws OAuthError `configuration_malformed`
 */
export async function loadSigningKeys(env: object): Promise<SigningKeys> {
  const { keys, problem } = await signingKeysOf(valuesIn(env));
  if (keys) return keys;
  throw new OAuthError("configuration_malformed", {
    problems: problem ? [problem] : [],
  });
}

function lifetimesIn(data: v.InferOutput<typeof variables>): Lifetimes {
  return {
    access_token_ttl: data.ACCESS_TOKEN_TTL,
    refresh_token_ttl: data.REFRESH_TOKEN_TTL,
    refresh_token_max_age: data.REFRESH_TOKEN_MAX_AGE,
    refresh_token_retry_window: data.REFRESH_TOKEN_RETRY_WINDOW,
  };
}

/** Reads PRIVATE_KEY. Nothing is returned if it is not set or not a string, which the schema above reports. */
async function signingKeysOf({
  PRIVATE_KEY: text,
  PRIVATE_KEY_PASSPHRASE: passphrase,
}: Values): Promise<{ keys?: SigningKeys; problem?: Problem }> {
  if (typeof text !== "string") return {};
  if (passphrase !== undefined && typeof passphrase !== "string") return {};
  try {
    return { keys: await readSigningKeys(text, passphrase) };
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return { problem: { name: "PRIVATE_KEY", problem: error.message } };
  }
}

async function leagueKeyOf({
  LEAGUE_ENCRYPTION_KEY: key,
}: Values): Promise<LeagueKey | undefined> {
  return typeof key === "string" ? readLeagueKey(key) : undefined;
}

/**
 * Checks an issuer (RFC 8414 section 2). It must be an origin, because the endpoints have fixed paths below
 * it.
 */
function issuerProblem(issuer: string): string | undefined {
  if (!URL.canParse(issuer) || new URL(issuer).origin !== issuer) {
    return "must be an origin without a path or a slash at its end, such as https://auth.example.com";
  }
  return undefined;
}

function transportProblem(
  url: string,
  mayBePlain: PlainHttpRule,
): string | undefined {
  const { protocol } = new URL(url);
  return protocol === "https:" || (protocol === "http:" && mayBePlain(url))
    ? undefined
    : "must begin with https:// (http:// is for localhost only)";
}

/**
 * Checks LOGIN_URL. It must not have a fragment, as the endpoints of RFC 6749 section 3.1, nor the parameter
 * that `/authorize` adds.
 */
function loginUrlProblem(url: string): string | undefined {
  // A browser reads spaces, backslashes and missing slashes, which RFC 3986 forbids, in its own way.
  const isPlain = /^[a-z]+:\/\/[^/]/.test(url) && !/[^!-~]|[#\\]/.test(url);
  if (!isPlain || !URL.canParse(url))
    return "must be a URL without a fragment or spaces, such as https://login.example.com/sign-in";
  return new URL(url).searchParams.has("request")
    ? "must not have a parameter named request, because Baton adds it"
    : undefined;
}

/** The origin of an app's pages: a scheme of its own, a host as the browser sends it, and perhaps a port. */
const appOrigin =
  /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})(?::\d{1,5})?$/;
/** The scheme of a page whose origin is null (HTML section 7.1.1), or that origin itself. */
const noOrigin =
  /^(null|file|javascript|data|vbscript|blob|about|view-source|filesystem)(?::\/\/|$)/i;

function originsProblem(list: string): string | undefined {
  const origins = splitList(list);
  const [, name] =
    origins.map((item) => noOrigin.exec(item)).find(Boolean) ?? [];
  if (name !== undefined)
    return `must not have ${name.toLowerCase()}: the origin of such pages is null, and any site can make a page whose origin is null`;
  return origins.every(isOrigin)
    ? undefined
    : "must be origins such as https://app.example.com or capacitor://localhost, without a path or a wildcard, with commas between them";
}

function isOrigin(item: string): boolean {
  if (item.includes("*") || !URL.canParse(item)) return false;
  const { origin, href } = new URL(item);
  if (/^https?:/i.test(item)) return origin === item;
  // The parser knows no origin of another scheme than those of the web.
  return appOrigin.test(item) && href === item;
}

function hostsProblem(list: string): string | undefined {
  return splitList(list).every(
    (item) =>
      !item.includes("*") &&
      URL.canParse(`https://${item}`) &&
      new URL(`https://${item}`).hostname === item,
  )
    ? undefined
    : "must be host names such as auth.example.com, in lower case and without a port, with commas between them";
}

/** Tells whether ALLOWED_HOSTS lacks the host of ISSUER. The host of a local server is always allowed. */
function lacksHostOf({
  ISSUER,
  ALLOWED_HOSTS,
}: v.InferOutput<typeof variables>): boolean {
  if (!ALLOWED_HOSTS || ISSUER.startsWith("http:")) return false;
  return !ALLOWED_HOSTS.includes(new URL(ISSUER).hostname);
}

/** Returns the keys of ENCRYPTION_KEY. A line break may be a backslash and a letter, which are not base64. */
function encryptionKeys(list: string): string[] {
  const lines = list.replaceAll(/\\{1,4}[nr]/g, "\n");
  return splitList(unwrapSecret(lines)).map(unwrapSecret);
}

function encryptionKeyProblem(list: string): string | undefined {
  if (/^(?:export\s+)?ENCRYPTION_KEY\s*=/.test(list))
    return "begins with ENCRYPTION_KEY=, and must be the value alone";
  const decoded = encryptionKeys(list).map(decodeBase64);
  if (decoded.some((key) => key?.length !== ENCRYPTION_KEY_BYTES)) {
    return "must be the base64 of 32 random bytes (openssl rand -base64 32), or several of them with commas between them";
  }
  // The bytes are compared, because one key has several spellings.
  if (new Set(decoded.map(String)).size < decoded.length)
    return "has the same key twice";
  return decoded.some((key) => isOneRepeated(key!))
    ? "has a key of one repeated byte, which anybody can guess: make one with openssl rand -base64 32"
    : undefined;
}

/**
 * Checks ADMIN_TOKEN. What a shell or a secret store has damaged is refused, because it would be another token
 * than the operator has.
 */
function adminTokenProblem(token: string): string | undefined {
  const [, name] =
    /^(?:export\s+)?((?:BATON_)?ADMIN_TOKEN)\s*=/.exec(token) ?? [];
  if (name !== undefined)
    return `begins with ${name}=, and must be the value alone`;
  if (/\\[nr]$/.test(token))
    return "ends with a backslash and a letter, which was a line break before something escaped it: remove both";
  if (/^\\?["'`]|["'`]$/.test(token))
    return "begins or ends with a quotation mark: set the value without it";
  const weakness = weakSecretProblem(token);
  if (weakness !== undefined) return weakness;
  return /[^\x21-\x7e]/.test(token)
    ? "must be printable ASCII without spaces"
    : undefined;
}

function splitList(list: string): string[] {
  return list.split(",").map((item) => item.trim());
}
