import type { Lifetimes } from "./lifetimes.ts";
import type { Role } from "./roles.ts";
import type { Webhook } from "./webhook.ts";

/**
 * The formats of an access token. `rfc9068`: the claims of RFC 9068 section 2.2. `league`: in addition, the
 * claims that resource servers of league/oauth2-server and Laravel Passport read.
 */
export const accessTokenFormats = ["rfc9068", "league"] as const;

export type AccessTokenFormat = (typeof accessTokenFormats)[number];

/** Cloudflare Access as a way into the admin API. */
export interface AccessSettings {
  /** The host name of the team, such as team.cloudflareaccess.com. */
  team_domain: string;
  /** The audience tag of the Access application. */
  aud: string;
  /**
   * The roles by email address, or by the common name of a service token, in lower case. `*` is everybody whom Access
   * lets through. Somebody without a role may do nothing.
   */
  roles: ReadonlyMap<string, Role>;
}

/** How the refresh hook is asked. */
export interface RefreshHookSettings {
  /** The time that the hook has for its answer, in milliseconds. */
  timeout_ms: number;
  /** True: without a decision of the hook a refresh is refused. */
  fail_closed: boolean;
}

/** The hosts from which clients may come that are known by a metadata document. */
export interface MetadataDocumentSettings {
  /** Left out: from any host that is not in `denied_hosts`. */
  allowed_hosts?: string[];
  denied_hosts: string[];
}

/** The settings of dynamic registration (RFC 7591). */
export interface DynamicRegistrationSettings {
  /** `open`: anybody may register. `token`: only with an initial access token (RFC 7591 section 3). */
  access: "open" | "token";
  /** The most registrations of one day (UTC). */
  per_day: number;
}

/** The parsed configuration. */
export interface Settings extends Lifetimes {
  issuer: string;
  /** `aud` of an access token for no resource. */
  audience: string;
  /** The format for clients whose record has none. */
  access_token_format: AccessTokenFormat;
  /** The host names that the server answers at, in lower case. Undefined: any host name. */
  allowed_hosts: string[] | undefined;
  /** The origins that a browser may call from. Undefined: any origin. */
  cors_origins: string[] | undefined;
  /** True: the token endpoint is at Passport's path `/oauth/token` as well. */
  passport_token_endpoint: boolean;
  /** The URL of the sign-in page. Undefined: there is no authorization endpoint. */
  login_url: string | undefined;
  /** The URL of the login's page for signing out. Left out: Baton shows a page of its own. */
  logout_url?: string;
  /** The token of the admin API that may do everything. Undefined: without Access there is no admin API. */
  admin_token: string | undefined;
  /** Left out: nobody comes in by Access. */
  access?: AccessSettings;
  /** How the refresh hook is asked. Left out: none is bound. */
  refresh_hook?: RefreshHookSettings;
  /** Left out: a URL as client_id is an id like any other, and no metadata document is read. */
  metadata_documents?: MetadataDocumentSettings;
  /** Left out: there is no registration endpoint. */
  dynamic_registration?: DynamicRegistrationSettings;
  /** ISO 8601. A client that registered itself ends if it is not used for that long. */
  registration_idle_ttl: string;
  /** True: a login has a refresh token only if `offline_access` was granted, or the client's record says so. */
  offline_access_required: boolean;
  /** True: a DPoP proof without a nonce of this server is refused. */
  dpop_nonce_required: boolean;
  /** True: client certificates are read (RFC 8705). The platform must ask for them. */
  client_certificates: boolean;
  /** The origin at which the platform asks for client certificates. Left out: the issuer's. */
  mtls_endpoint_origin?: string;
  /** The webhook that gets the events. Left out: there is none. */
  webhook?: Webhook;
}
