import * as v from "valibot";
import {
  accessRolesProblem,
  accessSettings,
  audienceTagProblem,
  missingAccessVariables,
  teamDomainProblem,
} from "./config/access.ts";
import { adminTokenProblem } from "./config/admin-token.ts";
import {
  clientCertificateProblems,
  mtlsOriginProblem,
} from "./config/client-certificates.ts";
import {
  deriveTokenKeys,
  readEncryptionKeys,
} from "./config/encryption-keys.ts";
import { findKeySecrets } from "./config/key-secrets.ts";
import { hostsProblem, originsProblem, splitList } from "./config/lists.ts";
import {
  refreshHookProblems,
  refreshHookSettings,
  timeoutProblem,
} from "./config/refresh-hook.ts";
import {
  issuerProblem,
  loginUrlProblem,
  type PlainHttpRule,
  transportProblem,
} from "./config/urls.ts";
import {
  dynamicRegistrationSettings,
  metadataDocumentSettings,
  perDayProblem,
  selfRegistrationProblems,
} from "./config/self-registration.ts";
import {
  webhookProblems,
  webhookSecretProblem,
  webhookSettings,
} from "./config/webhook.ts";
import {
  lifetimeProblem,
  retryWindowProblem,
  type Seconds,
} from "./oauth/duration.ts";
import { OAuthError, type Problem } from "./oauth/errors.ts";
import { type Lifetimes, retryWindowExceeds } from "./oauth/lifetimes.ts";
import { isLoopback } from "./oauth/redirect-uri.ts";
import { parse, rule } from "./oauth/schema.ts";
import { unwrapSecret } from "./oauth/secret-floor.ts";
import { accessTokenFormats, type Settings } from "./oauth/settings.ts";
import type { KeySchedule } from "./oauth/key-schedule.ts";
import type { TokenKey, TokenKeys } from "./oauth/keys.ts";
import { type LeagueKey, LeagueKeyError, readLeagueKey } from "./league/key.ts";
import { readSigningKeys, type SigningKeys } from "./platform/signing-keys.ts";

/** Variables and secrets, parsed, except the private keys, which cost the most time (`loadSigningKeys`). */
export interface Configuration {
  settings: Settings;
  tokenKeys: TokenKeys;
  tokenKeySchedule: KeySchedule<TokenKey>;
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

/** Makes the schema of a list that may be left out and must obey a rule. */
function listWithRule(problem: (value: string) => string | undefined) {
  return v.optional(v.pipe(stringWithRule(problem), v.transform(splitList)));
}

/** The schema of a switch. */
const on = v.optional(v.literal("on", "must be on, or empty"));

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
    LOGOUT_URL: v.optional(stringWithRule(loginUrlProblem)),
    PASSPORT_TOKEN_ENDPOINT: on,
    REFRESH_HOOK_TIMEOUT: v.optional(stringWithRule(timeoutProblem), "PT1S"),
    REFRESH_HOOK_FAIL_CLOSED: on,
    CORS_ORIGINS: listWithRule(originsProblem),
    ALLOWED_HOSTS: listWithRule(hostsProblem),
    PRIVATE_KEY_PASSPHRASE: v.optional(text),
    ADMIN_TOKEN: v.optional(stringWithRule(adminTokenProblem)),
    ACCESS_TEAM_DOMAIN: v.optional(stringWithRule(teamDomainProblem)),
    ACCESS_AUD: v.optional(stringWithRule(audienceTagProblem)),
    ACCESS_ROLES: v.optional(stringWithRule(accessRolesProblem)),
    LEAGUE_ENCRYPTION_KEY: v.optional(text),
    EVENT_WEBHOOK_URL: v.optional(text),
    CLIENT_ID_METADATA_DOCUMENTS: on,
    CLIENT_ID_METADATA_HOSTS: listWithRule(hostsProblem),
    CLIENT_ID_METADATA_DENIED_HOSTS: listWithRule(hostsProblem),
    DYNAMIC_REGISTRATION: v.optional(
      v.picklist(["open", "token"], "must be open or token, or empty"),
    ),
    REGISTRATIONS_PER_DAY: v.optional(stringWithRule(perDayProblem), "1000"),
    REGISTRATION_IDLE_TTL: v.optional(stringWithRule(lifetimeProblem), "P90D"),
    OFFLINE_ACCESS_REQUIRED: on,
    DPOP_NONCE_REQUIRED: on,
    CLIENT_CERTIFICATES: on,
    MTLS_ENDPOINT_ORIGIN: v.optional(stringWithRule(mtlsOriginProblem)),
    EVENT_WEBHOOK_SECRET: v.optional(stringWithRule(webhookSecretProblem)),
  },
  NOT_SET,
);

type Name = keyof typeof variables.entries;
type Values = { [N in Name]?: unknown };

/**
 * Returns the values of the variables and secrets that are set. An empty value counts as not set, and ADMIN_TOKEN is
 * without what surrounds it.
 */
function valuesIn(env: object): Values {
  const values: Values = {};
  for (const name of Object.keys(variables.entries) as Name[]) {
    const given: unknown = Reflect.get(env, name);
    const isWrapped = typeof given === "string" && name === "ADMIN_TOKEN";
    const value = isWrapped ? unwrapSecret(given) : given;
    if (value !== undefined && value !== "") values[name] = value;
  }
  return values;
}

/**
 * Parses variables and secrets.
 *
 * @param env the Worker's bindings
 * @param now keys whose start time is later do not make tokens yet
 * @param mayBePlain left out: only a loopback address may use plain http
 * @throws OAuthError `configuration_malformed` with every problem, not only the first, and those of private keys too.
 *   If private keys alone are malformed, `loadSigningKeys` reports them
 */
export async function loadConfiguration(
  env: object,
  now: Seconds,
  mayBePlain: PlainHttpRule = isLoopback,
): Promise<Configuration> {
  const values = valuesIn(env);
  const { data, issues = [] } = parse(variables, values);
  const problems = issues.map(({ path, message }) => ({
    name: path.join("."),
    problem: message,
  }));

  for (const name of ["ISSUER", "LOGIN_URL", "LOGOUT_URL"] as const) {
    const { data: url } = parse(variables.entries[name], values[name]);
    const problem = url && transportProblem(url, mayBePlain);
    if (problem) problems.push({ name, problem });
  }
  if (data) problems.push(...webhookProblems(data, mayBePlain));
  if (data) problems.push(...refreshHookProblems(env, data));
  if (data) problems.push(...selfRegistrationProblems(data, now));
  if (data) problems.push(...clientCertificateProblems(data));
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
  const encryption = findKeySecrets(env, "ENCRYPTION_KEY", now);
  const { read, problems: malformed } = readEncryptionKeys(encryption.secrets);
  problems.push(...encryption.problems, ...malformed);
  if (data) problems.push(...missingAccessVariables(data));
  if (!data || !lifetimes || problems.length > 0) {
    problems.push(...(await signingKeysOf(env, now)).problems);
    throw new OAuthError("configuration_malformed", { problems });
  }

  const access = accessSettings(data);
  const webhook = webhookSettings(data);
  const refresh_hook = refreshHookSettings(env, data);
  const metadata_documents = metadataDocumentSettings(data);
  const dynamic_registration = dynamicRegistrationSettings(data);
  return {
    leagueKey,
    ...(await deriveTokenKeys(read)),
    settings: {
      issuer: data.ISSUER,
      audience: data.AUDIENCE ?? data.ISSUER,
      access_token_format: data.ACCESS_TOKEN_FORMAT,
      ...lifetimes,
      login_url: data.LOGIN_URL,
      ...(data.LOGOUT_URL !== undefined && { logout_url: data.LOGOUT_URL }),
      passport_token_endpoint: data.PASSPORT_TOKEN_ENDPOINT === "on",
      cors_origins: data.CORS_ORIGINS,
      allowed_hosts: data.ALLOWED_HOSTS,
      admin_token: data.ADMIN_TOKEN,
      ...(access && { access }),
      ...(webhook && { webhook }),
      ...(refresh_hook && { refresh_hook }),
      ...(metadata_documents && { metadata_documents }),
      ...(dynamic_registration && { dynamic_registration }),
      registration_idle_ttl: data.REGISTRATION_IDLE_TTL,
      dpop_nonce_required: data.DPOP_NONCE_REQUIRED === "on",
      client_certificates: data.CLIENT_CERTIFICATES === "on",
      ...(data.MTLS_ENDPOINT_ORIGIN !== undefined && {
        mtls_endpoint_origin: data.MTLS_ENDPOINT_ORIGIN,
      }),
      offline_access_required: data.OFFLINE_ACCESS_REQUIRED === "on",
    },
  };
}

/**
 * Imports and checks the private keys, if `loadConfiguration` has found nothing wrong.
 *
 * @param now keys whose start time is later do not sign yet
 * @throws OAuthError `configuration_malformed` with every problem
 */
export async function loadSigningKeys(
  env: object,
  now: Seconds,
): Promise<SigningKeys> {
  const { keys, problems } = await signingKeysOf(env, now);
  if (keys && problems.length === 0) return keys;
  throw new OAuthError("configuration_malformed", { problems });
}

function lifetimesIn(data: v.InferOutput<typeof variables>): Lifetimes {
  return {
    access_token_ttl: data.ACCESS_TOKEN_TTL,
    refresh_token_ttl: data.REFRESH_TOKEN_TTL,
    refresh_token_max_age: data.REFRESH_TOKEN_MAX_AGE,
    refresh_token_retry_window: data.REFRESH_TOKEN_RETRY_WINDOW,
  };
}

/** Reads the private keys, unless the pass phrase is not a string, which the schema above reports. */
async function signingKeysOf(
  env: object,
  now: Seconds,
): Promise<{ keys?: SigningKeys; problems: Problem[] }> {
  const { secrets, problems } = findKeySecrets(env, "PRIVATE_KEY", now);
  const { PRIVATE_KEY_PASSPHRASE: passphrase } = valuesIn(env);
  if (passphrase !== undefined && typeof passphrase !== "string")
    return { problems };
  const read = await readSigningKeys(secrets, passphrase, now);
  return { ...read, problems: [...problems, ...read.problems] };
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
