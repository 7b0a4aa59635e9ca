import type { Lifetimes } from "./lifetimes.ts";

/**
 * The formats of an access token: the claims of RFC 9068 section 2.2, or beside them what the resource
 * servers of league/oauth2-server, and so of Laravel Passport, read.
 */
export const accessTokenFormats = ["rfc9068", "league"] as const;

export type AccessTokenFormat = (typeof accessTokenFormats)[number];

/** The configuration, parsed. */
export interface Settings extends Lifetimes {
  issuer: string;
  /** `aud` of access tokens that are for no particular resource. */
  audience: string;
  /** For clients whose record names none. */
  access_token_format: AccessTokenFormat;
  /** The origins that browsers may call from; undefined: any. */
  cors_origins: string[] | undefined;
  /** Whether the token endpoint answers at Passport's path, too. */
  passport_token_endpoint: boolean;
  /** Where people sign in; undefined: there is no authorization endpoint. */
  login_url: string | undefined;
  /** Undefined: there is no admin API. */
  admin_token: string | undefined;
}
