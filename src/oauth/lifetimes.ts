import {
  type AuthenticationMethod,
  keyMethods,
} from "./authentication-methods.ts";
import { after, type Seconds } from "./duration.ts";
import type { TokenExpiry } from "./refresh-token-layout.ts";

/** The lifetimes, in ISO 8601. The configuration sets them, and a client's record may override them. */
export interface Lifetimes {
  access_token_ttl: string;
  refresh_token_ttl: string;
  refresh_token_max_age: string;
  refresh_token_retry_window: string;
}

/**
 * The time after the newest exchange in which a used token leads its holder to the current one. ISO 8601; `PT0S`: never.
 * The client's record and method of authentication decide it.
 */
export interface CatchUp {
  /** For a family that is bound to keys, all of which the request has proven. */
  bound: string;
  /** For any other family: the client has authenticated. `PT0S` for a public client. */
  unbound: string;
}

/** Returns the lifetimes of a client: those of its record, else those of the configuration. */
export function lifetimesOf(
  client: { [Name in keyof Lifetimes]?: string | undefined },
  defaults: Lifetimes,
): Lifetimes {
  return {
    access_token_ttl: client.access_token_ttl ?? defaults.access_token_ttl,
    refresh_token_ttl: client.refresh_token_ttl ?? defaults.refresh_token_ttl,
    refresh_token_max_age:
      client.refresh_token_max_age ?? defaults.refresh_token_max_age,
    refresh_token_retry_window:
      client.refresh_token_retry_window ?? defaults.refresh_token_retry_window,
  };
}

/**
 * Returns how long a used token leads its holder to the current one. By default as long as a refresh token lasts, for
 * every holder that proves a key. A client that authenticates with a secret must have it in its record.
 *
 * @param client its record
 */
export function catchUpOf(
  client: {
    token_endpoint_auth_method?: AuthenticationMethod | undefined;
    refresh_token_catch_up?: string | undefined;
  },
  { refresh_token_ttl }: Pick<Lifetimes, "refresh_token_ttl">,
): CatchUp {
  const { token_endpoint_auth_method: method, refresh_token_catch_up: own } =
    client;
  const bound = own ?? refresh_token_ttl;
  if (method === "none") return { bound, unbound: "PT0S" };
  const isByKey = method !== undefined && keyMethods.includes(method);
  return { bound, unbound: isByKey ? bound : (own ?? "PT0S") };
}

/** Returns when a refresh token that is made now expires. It is never later than the end of its family. */
export function refreshTokenExpiry(
  { refresh_token_ttl }: Lifetimes,
  now: Seconds,
  familyEnd = Infinity,
): Seconds {
  return Math.min(after(refresh_token_ttl, now), familyEnd);
}

/** Returns when and why a refresh token expires. Without the end of its family, nobody can say why. */
export function tokenExpiry(
  expires_at: Seconds,
  familyEnd: Seconds | undefined,
): TokenExpiry {
  if (familyEnd === undefined) return { expires_at };
  const expires_because = expires_at < familyEnd ? "unused" : "login_ends";
  return { expires_at, expires_because };
}

/** Returns when a family that is made now ends, however often it rotates. */
export function familyEnd(
  { refresh_token_max_age }: Pick<Lifetimes, "refresh_token_max_age">,
  now: Seconds,
): Seconds {
  return after(refresh_token_max_age, now);
}

/** Returns when an access token that is made now expires. It is never later than the end of its login. */
export function accessTokenExpiry(
  { access_token_ttl }: Lifetimes,
  now: Seconds,
  loginEnd = Infinity,
): Seconds {
  return Math.min(after(access_token_ttl, now), loginEnd);
}

/**
 * Finds a lifetime that is shorter than the retry window; undefined if there is none. A window that is longer
 * than the life of the token makes no sense. Other lifetimes need no rule, because each is cut to the one
 * that contains it.
 */
export function retryWindowExceeds(
  lifetimes: Lifetimes,
): keyof Lifetimes | undefined {
  const window = after(lifetimes.refresh_token_retry_window, 0);
  const bounds = ["refresh_token_ttl", "refresh_token_max_age"] as const;
  return bounds.find((bound) => window > after(lifetimes[bound], 0));
}

/** Tells whether a client's own `refresh_token_catch_up` is longer than its refresh tokens last. */
export function catchUpExceeds(
  {
    refresh_token_catch_up = "PT0S",
  }: { refresh_token_catch_up?: string | undefined },
  { refresh_token_ttl }: Pick<Lifetimes, "refresh_token_ttl">,
): boolean {
  return after(refresh_token_catch_up, 0) > after(refresh_token_ttl, 0);
}
