import { after, type Seconds } from "./duration.ts";

/** The lifetimes that the configuration sets and a client's record may override: ISO 8601. */
export interface Lifetimes {
  access_token_ttl: string;
  refresh_token_ttl: string;
  refresh_token_max_age: string;
  refresh_token_retry_window: string;
}

/** A client's lifetimes: its own, else the configured ones. */
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

/** When a refresh token that is made now expires: never later than its family ends. */
export function refreshTokenExpiry(
  { refresh_token_ttl }: Lifetimes,
  now: Seconds,
  familyEnd = Infinity,
): Seconds {
  return Math.min(after(refresh_token_ttl, now), familyEnd);
}

/** When a family that is made now ends, however often it rotates. */
export function familyEnd(
  { refresh_token_max_age }: Lifetimes,
  now: Seconds,
): Seconds {
  return after(refresh_token_max_age, now);
}

/** When an access token that is made now expires: it never outlives its login. */
export function accessTokenExpiry(
  { access_token_ttl }: Lifetimes,
  now: Seconds,
  loginEnd = Infinity,
): Seconds {
  return Math.min(after(access_token_ttl, now), loginEnd);
}

/**
 * What the retry window is longer than, if it is longer than the life of the token that may come
 * back. Other lifetimes need no rule: each is cut off by the one that it is a part of.
 */
export function retryWindowExceeds(
  lifetimes: Lifetimes,
): keyof Lifetimes | undefined {
  const window = after(lifetimes.refresh_token_retry_window, 0);
  const lives = ["refresh_token_ttl", "refresh_token_max_age"] as const;
  return lives.find((life) => window > after(lifetimes[life], 0));
}
