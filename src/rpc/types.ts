/**
 * The types of the RPC entrypoints, for a Worker of the same account. This file imports nothing, so that it can be
 * copied or imported without the rest. Methods return a `Refusal` and do not throw.
 */

/** The result of a call that was refused or that failed: the JSON of a refusal of the admin API. */
export interface Refusal {
  error: string;
  error_description: string;
  /** Each field that is wrong, with its problem. */
  fields?: Record<string, string>;
}

/** The description of an authorization request, for a sign-in page to show to the user. */
export interface AuthorizationDescription {
  client_id: string;
  client_name?: string;
  /** The URI to which the browser is redirected after the decision. */
  redirect_uri: string;
  /** The requested scopes that the client may have, with the descriptions of the scope catalogue. */
  scopes: { scope: string; description: string }[];
  /**
   * Only if a user is named: the scopes that their logins at this client have already, for the same resources. The
   * decision may name them beside the requested ones.
   */
  granted_scopes?: { scope: string; description: string }[];
  resource: string[];
  /** The names of those resources that have one in the catalogue. Left out: none has. */
  resource_names?: Record<string, string>;
  /** Only of a client that has registered itself: how. Nobody has checked it or its name. */
  registered_by?: "metadata_document" | "dynamic_registration";
  /** Only of such a client: the host whose document describes it, in ASCII. Left out: it has no document. */
  client_host?: string;
  /**
   * Only of such a client: the host and port to which the browser goes, in ASCII. Left out: the URI has an app's own
   * scheme.
   */
  redirect_host?: string;
  /** Only of such a client. True: the browser goes to a program on the user's own device, which may be any. */
  redirect_is_loopback?: boolean;
  /** Only of such a client: the decision must have `consent: true`. */
  needs_consent?: true;
  prompt?: string;
  login_hint?: string;
  ui_locales?: string;
  /** With the scope `openid`: the longest time since the sign-in, in seconds. */
  max_age?: number;
  /** With the scope `openid`: the authentication context classes that the client prefers. */
  acr_values?: string;
  /** With the scope `openid`: the user who must sign in, because the client has sent an ID token of theirs. */
  hinted_subject?: string;
  /** From this time on, the request cannot be decided. Seconds since 1970. */
  expires_at: number;
}

/**
 * What the login says about the user and the sign-in. All fields may be left out. Together they have at most 2,048 bytes
 * as JSON. `docs/login.md` says what each is for.
 */
export interface LoginClaims {
  /** When the user signed in. Seconds since 1970. */
  auth_time?: number;
  /** The authentication context class, such as the level of assurance. */
  acr?: string;
  /** The authentication methods (RFC 8176), such as `pwd` and `otp`. */
  amr?: string[];
  /** The id of the user's session at the login. Not a secret, such as a cookie. */
  sid?: string;
  /** For the access token. They need no scope. Plain JSON, and no claim that Baton sets itself. */
  claims?: Record<string, unknown>;
  /** About the user, for the ID token and the UserInfo endpoint. The granted scopes release them. */
  id_token_claims?: Record<string, unknown>;
  /** About the user, for the UserInfo endpoint alone. The granted scopes release them. */
  userinfo?: Record<string, unknown>;
}

/** The decision of a sign-in page: the user who signed in and what they allow, or an error. */
export type Decision = { request: string } & (
  | ({
      subject: string;
      /**
       * The scopes that the user allows, with spaces between them, out of `scopes` and `granted_scopes`. Left out: all
       * that were asked for.
       */
      scope?: string;
      /** The user has seen the client and agreed. For a client with `needs_consent`. */
      consent?: true;
      error?: never;
    } & LoginClaims)
  | {
      error:
        | "access_denied"
        | "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required"
        | "temporarily_unavailable"
        | "server_error";
      subject?: never;
      scope?: never;
      consent?: never;
    }
);

/** Changes of `LoginClaims`: each field that is named is replaced as a whole, null removes it, and the others stay. */
export type LoginClaimChanges = {
  [Field in keyof LoginClaims]?: LoginClaims[Field] | null;
};

/** A change of a grant. */
export type GrantUpdate = { grant_id: string } & LoginClaimChanges;

/** A grant: the login of a user at a client. Times are seconds since 1970. */
export interface Grant extends LoginClaims {
  grant_id: string;
  client_id: string;
  subject: string;
  scope: string;
  resource: string[];
  created_at: number;
  last_used_at: number;
  expires_at: number;
  /** When the grant ends, however often it is used. */
  ends_at: number;
  /** The number of its newest refresh token. */
  generation: number;
  /** The thumbprints of the keys that its refresh tokens are bound to. Left out: it is not bound. */
  cnf?: { jkt?: string; "x5t#S256"?: string };
  /** Why the grant is not active. Left out: it is. */
  inactive_because?: string;
}

/** The description of a logout request, for the login. */
export interface LogoutDescription {
  /** Left out: the request names no client. */
  client_id?: string;
  client_name?: string;
  /** The user, by the ID token that the app has sent. */
  subject?: string;
  /** The session, by that ID token, if the login gave one. */
  sid?: string;
  /** The URI to which the browser is redirected at the end. Left out: the login shows a page of its own. */
  post_logout_redirect_uri?: string;
  ui_locales?: string;
  logout_hint?: string;
  /**
   * False: the app has sent no valid ID token of a login that goes on, so that any site may have sent the browser. The
   * login asks the user.
   */
  is_confirmed: boolean;
  /** From this time on, the request cannot be decided. Seconds since 1970. */
  expires_at: number;
}

/** The report of a login that it has ended its session. */
export interface EndedSession {
  request: string;
  /** The user who signed out. Left out: the user of the ID token. */
  subject?: string;
  /** The session that has ended, as the login gave it with its decisions. Left out: that of the ID token. */
  sid?: string;
}

/** The entrypoint `Login`: what a sign-in page needs. */
export interface LoginService {
  /**
   * Describes an authorization request, as `GET /admin/authorizations` does.
   *
   * @param about `subject`: the user who is signed in, for `granted_scopes`
   */
  describeAuthorization(
    request: string,
    about?: { subject?: string },
  ): Promise<AuthorizationDescription | Refusal>;
  /** Decides an authorization request, as `POST /admin/authorizations` does. */
  decideAuthorization(
    decision: Decision,
  ): Promise<{ redirect_to: string } | Refusal>;
  /** Changes what a grant says about its user, as `PATCH /admin/grants/{grant_id}` does. */
  updateGrant(update: GrantUpdate): Promise<Grant | Refusal>;
  /** Describes a logout request, as `GET /admin/logouts` does. */
  describeLogout(request: string): Promise<LogoutDescription | Refusal>;
  /** Ends the grants of a session that the login has ended, as `POST /admin/logouts` does. */
  decideLogout(
    ended: EndedSession,
  ): Promise<{ redirect_to?: string } | Refusal>;
}

/** An active token (RFC 7662 section 2.2). It may have more claims than these. */
export interface ActiveToken {
  active: true;
  client_id: string;
  /** The user, or the client for a token of its own. */
  sub: string;
  scope?: string;
  /** Seconds since 1970. */
  exp: number;
  /** Seconds since 1970. Left out for a refresh token of an old league server. */
  iat?: number;
  iss?: string;
  aud?: string | string[];
  /** Left out for a refresh token. */
  token_type?: "Bearer" | "DPoP";
  /**
   * The keys that the token is bound to (RFC 9449 section 6.2, RFC 8705 section 3.2): the token is not good without a
   * proof of each. Left out: none.
   */
  cnf?: { jkt?: string; "x5t#S256"?: string };
}

/** The entrypoint `Tokens`: what a Worker needs that gets tokens from others. It may ask about any client's tokens. */
export interface TokensService {
  /** Tells whether a token is active, and what it says. Nobody but the caller's own code checks its audience. */
  introspect(token: string): Promise<ActiveToken | { active: false } | Refusal>;
  /** Ends the login of a token. A token that is not valid is ignored (RFC 7009 section 2.2). */
  revoke(token: string): Promise<Record<string, never> | Refusal>;
}

/** A request of the admin API. `/admin/openapi.json` describes all of them. */
export interface AdminRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path below `/admin`, such as `/clients`. Its parameters are percent-encoded. */
  path: string;
  query?: Record<string, string | number>;
  /** The JSON of the body. */
  body?: object;
}

/** An answer of the admin API. */
export type AdminAnswer<T> =
  | { ok: true; status: number; body: T }
  | { ok: false; status: number; body: Refusal };

/**
 * The entrypoint `Admin`: the admin API, with the role in the `props` of the service binding: `admin`, `operator`,
 * `login` or `read`. Without `props` it may read.
 */
export interface AdminService {
  /**
   * Sends a request. The body of an answer without one (204) is null.
   *
   * @typeParam T the body of a success, which nothing checks
   */
  request<T = unknown>(request: AdminRequest): Promise<AdminAnswer<T>>;
}

/** What the refresh hook is asked: a login, and what its client asks for now. */
export interface RefreshQuestion extends LoginClaims {
  /** The login, as in the admin API. */
  grant_id: string;
  client_id: string;
  subject: string;
  /** There is no user, and `subject` is the client. Left out: a user. */
  sub_type?: "client";
  /** The granted scopes, with spaces between them. */
  scope: string;
  /** The scopes that this refresh asks for. Left out: all that were granted. */
  requested_scope?: string;
  /** The time when the login began. Seconds since 1970. */
  created_at: number;
}

/** The answer of the refresh hook. `allowed: true` may come with changes. `allowed: false` ends the login. */
export type RefreshAnswer =
  ({ allowed: true } & LoginClaimChanges) | { allowed: false };

/**
 * What a Worker implements that is bound as `REFRESH_HOOK`: Baton asks it before each refresh whether the login may go
 * on, and with which claims. It may be asked more than once about one refresh.
 */
export interface RefreshHook {
  decideRefresh(question: RefreshQuestion): Promise<RefreshAnswer>;
}
