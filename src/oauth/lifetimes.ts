import { after, type Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";

/** The lifetimes that the configuration sets and a client's record may override: ISO 8601. */
export interface Lifetimes {
  access_token_ttl: string;
  refresh_token_ttl: string;
  refresh_token_max_age: string;
  refresh_token_retry_window: string;
}

/** When a refresh token that is made now expires: never later than its family ends. */
export function refreshTokenExpiry(
  client: Client,
  defaults: Lifetimes,
  now: Seconds,
  familyEnd = Infinity,
): Seconds {
  return Math.min(
    after(client.refresh_token_ttl ?? defaults.refresh_token_ttl, now),
    familyEnd,
  );
}

/** When a family that is made now ends, however often it rotates. */
export function familyEnd(
  client: Client,
  defaults: Lifetimes,
  now: Seconds,
): Seconds {
  return after(
    client.refresh_token_max_age ?? defaults.refresh_token_max_age,
    now,
  );
}

/** When an access token that is made now expires: it never outlives its login. */
export function accessTokenExpiry(
  client: Client,
  defaults: Lifetimes,
  now: Seconds,
  loginEnd: Seconds,
): Seconds {
  return Math.min(
    after(client.access_token_ttl ?? defaults.access_token_ttl, now),
    loginEnd,
  );
}
