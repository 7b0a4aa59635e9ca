import * as v from "valibot";
import { hostsProblem, originsProblem, splitList } from "./config/lists.ts";
import {
  adminTokenProblem,
  encryptionKeyProblem,
  encryptionKeys,
} from "./config/secrets.ts";
import {
  issuerProblem,
  loginUrlProblem,
  type PlainHttpRule,
  transportProblem,
} from "./config/urls.ts";
import { decodeBase64 } from "./oauth/bytes.ts";
import { lifetimeProblem, retryWindowProblem } from "./oauth/duration.ts";
import { OAuthError, type Problem } from "./oauth/errors.ts";
import { type Lifetimes, retryWindowExceeds } from "./oauth/lifetimes.ts";
import { isLoopback } from "./oauth/redirect-uri.ts";
import { parse, rule } from "./oauth/schema.ts";
import { unwrapSecret } from "./oauth/secret-floor.ts";
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

/** Tells whether ALLOWED_HOSTS lacks the host of ISSUER. The host of a local server is always allowed. */
function lacksHostOf({
  ISSUER,
  ALLOWED_HOSTS,
}: v.InferOutput<typeof variables>): boolean {
  if (!ALLOWED_HOSTS || ISSUER.startsWith("http:")) return false;
  return !ALLOWED_HOSTS.includes(new URL(ISSUER).hostname);
}
