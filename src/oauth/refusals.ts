/** One row of the table `refusals`. */
interface Refusal {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 429 | 500 | 503;
  /** The standard code for the wire (RFC 6749 section 5.2). */
  error: string;
  /**
   * Makes `error_description`, for the client's developer: what happened, why and what to do.
   *
   * @param subject the parameter, field or thing that the refusal is about
   */
  description: (subject: string) => string;
  /** The text of the page that the user sees. Left out: the page has the text of the status. */
  person?: { title: string; words: string };
}

/**
 * Every refusal of the server, by its reason. The reason goes to the log only; status, code and description
 * go to the wire (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8707 section 2, RFC 7009 section 2.2.1). A
 * description has only characters of RFC 6749 section 5.2: no quotation mark and no backslash.
 */
export const refusals = {
  // Where the request was sent to.
  host_malformed: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The header Host is not a host name with an optional port.",
  },
  host_not_allowed: {
    status: 404,
    error: "not_found",
    description: () => "There is no endpoint at this host name.",
  },
  https_required: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "This server does not answer plain http, because others on the network can read it. Send the request to the https URL. If it had a secret or a token in it, replace that.",
  },

  // The request itself (RFC 6749 section 5.2, invalid_request).
  content_type_wrong: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The Content-Type of the body must be application/x-www-form-urlencoded.",
  },
  body_malformed: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The body does not match its Content-Type, or contains a value that is not a string.",
  },
  parameter_missing: {
    status: 400,
    error: "invalid_request",
    description: (name) => `The parameter ${name} is missing.`,
  },
  parameter_repeated: {
    status: 400,
    error: "invalid_request",
    description: (name) =>
      `The parameter ${name} was sent more than once. Send it once.`,
  },
  two_authentication_methods: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The request has both HTTP Basic credentials and client_secret in the body. Use only one of them.",
  },
  two_client_ids: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "client_id in the body must be the same as in the Authorization header.",
  },
  body_incomplete: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The body broke off, or its chunks are malformed. Send the whole request again.",
  },
  body_too_large: {
    status: 413,
    error: "invalid_request",
    description: () => "The body is larger than 16 KiB.",
  },
  path_unknown: {
    status: 404,
    error: "not_found",
    description: () => "There is no endpoint at this path.",
  },
  method_not_allowed: {
    status: 405,
    error: "invalid_request",
    description: (methods) =>
      `This path accepts only these methods: ${methods}.`,
  },

  // Client authentication. All reasons have the same text, so that nobody learns which clients exist.
  client_id_missing: invalidClient(),
  client_id_malformed: invalidClient(),
  client_unknown: invalidClient(),
  client_disabled: invalidClient(),
  client_secret_wrong: invalidClient(),
  client_authentication_method_wrong: invalidClient(),
  basic_credentials_malformed: invalidClient(),
  // Not invalid_client, because the secret may be right. RFC 6749 has no code for 429.
  client_secrets_limited: {
    status: 429,
    error: "temporarily_unavailable",
    description: () =>
      "Too many failed authentications of this client came from this network. Try again after the seconds in the header Retry-After.",
  },

  // The authorization endpoint (RFC 6749 section 4.1.2.1). Until client and redirect URI are certain, the
  // user sees a page. Afterwards the browser is redirected to the client with the error.
  authorization_request_too_long: {
    status: 400,
    error: "invalid_request",
    description: (what) => `The authorization request is too long: ${what}.`,
  },
  authorization_client_unknown: {
    status: 400,
    error: "invalid_request",
    description: () => "No client is registered with this client_id.",
  },
  // A client of a metadata document. The builder of an agent finds out by these what is wrong with it.
  metadata_document_url_invalid: {
    status: 400,
    error: "invalid_request",
    description: (problem) =>
      `No client is registered with this client_id, and it is not the URL of a metadata document: ${problem}.`,
  },
  metadata_document_host_denied: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "This server does not read metadata documents from the host of this client_id. Ask its operator.",
  },
  metadata_document_unreachable: {
    status: 400,
    error: "invalid_request",
    description: (problem) =>
      `The metadata document of this client_id cannot be read now: ${problem}. Try again in a minute.`,
  },
  metadata_document_invalid: {
    status: 400,
    error: "invalid_request",
    description: (problem) =>
      `The metadata document of this client_id is not valid: ${problem}.`,
  },
  metadata_documents_limited: {
    status: 429,
    error: "temporarily_unavailable",
    description: () =>
      "Too many metadata documents could not be read for this network. Try again after the seconds in the header Retry-After.",
  },
  redirect_uris_none: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "This client has no registered redirect URI. Register the one that the app sends.",
  },
  redirect_uri_missing: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The parameter redirect_uri is missing. It may be left out only if the client has exactly one registered redirect URI.",
  },
  redirect_uri_unregistered: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "redirect_uri is not registered for this client. Every character must be equal, except for the port of a loopback address.",
  },
  response_type_unsupported: {
    status: 400,
    error: "unsupported_response_type",
    description: () => "response_type must be code.",
  },
  response_mode_unsupported: {
    status: 400,
    error: "invalid_request",
    description: () => "response_mode must be query or left out.",
  },
  prompt_contradictory: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "prompt has none and another value. With none, send no other value.",
  },
  // OpenID Connect Core sections 3.1.2.1, 3.1.2.6 and 6. Only for requests with the scope `openid`.
  request_object_unsupported: {
    status: 400,
    error: "request_not_supported",
    description: () =>
      "This server does not support the parameter request. Send each parameter by itself.",
  },
  request_uri_unsupported: {
    status: 400,
    error: "request_uri_not_supported",
    description: () =>
      "This server does not support the parameter request_uri. Send each parameter by itself.",
  },
  max_age_malformed: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "max_age must be a whole number of seconds, 0 or more, with at most 10 digits.",
  },
  id_token_hint_invalid: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "id_token_hint must be an ID token that this server has made for this client. An expired ID token is accepted.",
  },
  code_challenge_missing: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The parameter code_challenge is missing. This client must use PKCE: send code_challenge, with code_challenge_method S256.",
  },
  code_challenge_method_unsupported: {
    status: 400,
    error: "invalid_request",
    description: () => "code_challenge_method must be S256.",
  },
  code_challenge_malformed: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "code_challenge must be the base64url of a SHA-256 digest: 43 characters without padding.",
  },

  // The end session endpoint (OpenID Connect RP-Initiated Logout). The user sees a page.
  logout_request_too_long: {
    status: 400,
    error: "invalid_request",
    description: (what) => `The logout request is too long: ${what}.`,
  },
  logout_hint_invalid: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "id_token_hint is not an ID token that this server has issued for this login, or its key is no longer published. An expired ID token is accepted.",
  },
  logout_client_differs: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "client_id is not the client that id_token_hint was issued to.",
  },
  logout_client_missing: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "post_logout_redirect_uri was sent without a client. Send id_token_hint or client_id too.",
  },
  logout_client_unknown: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "No client is registered with this client_id, or with the audience of id_token_hint.",
  },
  logout_redirect_uri_unregistered: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "post_logout_redirect_uri is not registered for this client. Every character must be equal, except for the port of a loopback address.",
  },
  logout_hint_missing: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The parameter id_token_hint is missing. This server has no LOGOUT_URL, so that only an ID token tells whom to sign out.",
  },

  // The grant type, and the code or token that it takes. Reasons that must not be told apart have the same
  // text.
  grant_type_unknown: {
    status: 400,
    error: "unsupported_grant_type",
    description: () =>
      "This server does not support this grant_type. Its metadata lists the supported ones.",
  },
  grant_type_not_allowed: {
    status: 400,
    error: "unauthorized_client",
    description: (type) =>
      `The registration of this client does not allow the grant type ${type}.`,
  },
  authorization_code_malformed: invalidGrant(
    "The authorization code is not valid.",
  ),
  authorization_code_forged: invalidGrant(
    "The authorization code is not valid.",
  ),
  authorization_code_of_another_client: invalidGrant(
    "The authorization code is not valid.",
  ),
  authorization_code_expired: invalidGrant(
    "The authorization code has expired. The user must sign in again.",
  ),
  // The login goes on: an operator need not act.
  authorization_code_repeated: invalidGrant(
    "The authorization code was used a moment ago. The login goes on with the tokens of the first answer and their successors. Send a code only once.",
  ),
  authorization_code_reused: invalidGrant(
    "The authorization code was already used, and its login has ended. The user must sign in again.",
  ),
  authorization_code_revoked: invalidGrant(
    "The user was logged out after this authorization code was issued, and must sign in again.",
  ),
  authorization_request_reused: invalidGrant(
    "Another authorization code of the same request was already used. Start a new authorization request.",
  ),
  redirect_uri_differs: invalidGrant(
    "redirect_uri must be the same as in the authorization request.",
  ),
  authorization_code_without_challenge: invalidGrant(
    "The authorization request had no code_challenge, and this client must send one. Start a new authorization request.",
  ),
  code_verifier_unexpected: invalidGrant(
    "code_verifier must not be sent, because the authorization request had no code_challenge. If the app has sent one, somebody has removed it on the way.",
  ),
  code_verifier_wrong: invalidGrant(
    "code_verifier does not match the code_challenge of the authorization request.",
  ),
  refresh_token_malformed: invalidGrant("The refresh token is not valid."),
  refresh_token_forged: invalidGrant("The refresh token is not valid."),
  // A token whose login had reached its end as well is refused as `family_too_old`.
  refresh_token_expired: invalidGrantAbout((because) =>
    because === "unused"
      ? "The refresh token has expired, because it was not used within refresh_token_timeout. The user must sign in again."
      : "The refresh token has expired. The user must sign in again.",
  ),
  refresh_token_of_another_client: invalidGrant(
    "The refresh token is not valid.",
  ),
  // Nothing is left of a family that has ended, so the description names what may have ended it.
  family_ended: invalidGrant(
    "The login of this refresh token has ended: the user logged out, the login was revoked, or a refresh token of it was used twice. The user must sign in again.",
  ),
  client_logins_ended: invalidGrant(
    "All earlier logins of this client were ended. The user must sign in again.",
  ),
  family_too_old: invalidGrant(
    "The login of this refresh token has lasted as long as it may. The user must sign in again.",
  ),
  // The login is over, so a thief learns nothing that is of use. Times and numbers are for the log alone.
  refresh_token_reused: invalidGrantAbout((looksLike) =>
    looksLike === "theft"
      ? "The refresh token is an old one, because its successor was used already: another process has the newer tokens, or somebody has a copy of this one. So the login was ended. The user must sign in again."
      : "The refresh token was already used, and its successor was not: the client has not stored the last answer, or two of its processes have sent the same token. So the login was ended. The user must sign in again.",
  ),
  login_denied_by_hook: invalidGrant(
    "The login of this refresh token may not go on, so it was ended. The user must sign in again.",
  ),

  // Refresh tokens of the old league server (takeover).
  league_token_unreadable: invalidGrant("The refresh token is not valid."),
  league_token_revoked: invalidGrant(
    "The refresh token was revoked. The user must sign in again.",
  ),
  league_token_logged_out: invalidGrant(
    "The user was logged out after this refresh token was issued, and must sign in again.",
  ),
  league_tokens_limited: {
    status: 429,
    error: "temporarily_unavailable",
    description: () =>
      "Too many refresh tokens were not valid. Try again after the seconds in the header Retry-After.",
  },

  // The UserInfo endpoint (OpenID Connect Core section 5.3.3, RFC 6750 section 3.1).
  access_token_missing: invalidToken(
    "The access token is missing. Send the header Authorization: Bearer with it.",
  ),
  two_access_tokens: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The request has an access token in the header Authorization and another one in the body. Send it once.",
  },
  access_token_forged: invalidToken("The access token is not valid."),
  access_token_expired: invalidToken(
    "The access token has expired. Get a new one with the refresh token.",
  ),
  // Only for an ID token that this server has signed.
  access_token_is_id_token: invalidToken(
    "This is an ID token. Send the access token.",
  ),
  access_token_ended: invalidToken(
    "The login of this access token has ended. The user must sign in again.",
  ),
  access_token_without_user: invalidToken(
    "This access token is of the client itself, so there is no user to tell about.",
  ),
  access_token_scope_insufficient: {
    status: 403,
    error: "insufficient_scope",
    description: (scope) =>
      `The access token does not have the scope ${scope}, or its client may no longer have it.`,
  },

  // Scope and resource.
  scope_malformed: {
    status: 400,
    error: "invalid_scope",
    description: () =>
      "scope must be one or more scopes with spaces between them, or be left out. Other white space, quotation marks and backslashes are not allowed.",
  },
  scope_not_granted: {
    status: 400,
    error: "invalid_scope",
    description: (name) =>
      name
        ? `scope asks for ${name}, which was not granted or which the client may not have.`
        : "scope asks for more than was granted or than the client may have.",
  },
  // At /authorize only. Scopes that the client may not have are dropped there, and here none is left.
  scope_none_left: {
    status: 400,
    error: "invalid_scope",
    description: (names) =>
      `The client has none of these scopes, or the scope catalogue does not: ${names}. An operator adds them with: clients update ID --add-scope SCOPE. To clients that registered themselves: resources put.`,
  },
  scope_all_lost: {
    status: 400,
    error: "invalid_scope",
    description: () =>
      "The client may no longer have any of the granted scopes. Check the scope of its registration.",
  },
  scope_of_another_resource: {
    status: 400,
    error: "invalid_scope",
    description: (name) =>
      `The scope ${name} belongs to another resource than the token. Send the parameter resource with the URI of its resource.`,
  },
  resource_missing: {
    status: 400,
    error: "invalid_target",
    description: () =>
      "A client that registered itself gets tokens for a resource only. Send the parameter resource with the URI of one that this server opens to such clients.",
  },
  resource_not_allowed: {
    status: 400,
    error: "invalid_target",
    description: () =>
      "resource must be one that was granted and that the client may ask for, and spelled as the operator has entered it. An operator looks at: resources list, clients show ID.",
  },

  // Dynamic registration (RFC 7591 section 3.2.2, RFC 7592 section 2).
  registration_body_malformed: {
    status: 400,
    error: "invalid_client_metadata",
    description: (problem) => problem,
  },
  registration_metadata_invalid: {
    status: 400,
    error: "invalid_client_metadata",
    description: (problem) => problem,
  },
  registration_redirect_uri_invalid: {
    status: 400,
    error: "invalid_redirect_uri",
    description: (problem) => problem,
  },
  initial_access_token_missing: invalidToken(
    "This server registers only clients that have an initial access token. Ask its operator for one, and send the header Authorization: Bearer with it.",
  ),
  initial_access_token_wrong: invalidToken(
    "The initial access token is not valid, or has expired. Ask the operator of this server for a new one.",
  ),
  // Also if there is no such client, so that nobody learns which clients exist.
  registration_token_wrong: invalidToken(
    "There is no such registration, or the registration access token is not the one that was issued with it. If the client was deleted or has ended, register again.",
  ),
  registration_tokens_limited: {
    status: 429,
    error: "temporarily_unavailable",
    description: () =>
      "Too many wrong registration access tokens came from this network. Try again after the seconds in the header Retry-After.",
  },
  registrations_limited: {
    status: 429,
    error: "temporarily_unavailable",
    description: () =>
      "Too many registrations came from this network. Try again after the seconds in the header Retry-After.",
  },
  registrations_used_up: {
    status: 503,
    error: "temporarily_unavailable",
    description: () =>
      "No more clients can register today. Try again after the seconds in the header Retry-After.",
  },
  registration_not_bound: {
    status: 500,
    error: "server_error",
    description: (binding) =>
      `No client can register, because the binding ${binding} of this server is missing. Its operator adds it with: npm run baton -- setup --update.`,
  },

  // Revocation (RFC 7009).
  token_of_another_client: invalidGrant("The token is not valid."),
  token_not_revocable: {
    status: 400,
    error: "unsupported_token_type",
    description: () =>
      "This access token was issued to the client itself and cannot be revoked. It is valid until it expires.",
  },
  id_token_not_revocable: {
    status: 400,
    error: "unsupported_token_type",
    description: () =>
      "This is an ID token, which cannot be revoked. Send the refresh token, which ends the login.",
  },

  // The admin API.
  admin_token_wrong: {
    status: 401,
    error: "invalid_token",
    description: () =>
      "The admin token is missing or wrong. Send the header Authorization: Bearer with the value of the secret ADMIN_TOKEN, or with an admin token that was made with POST /admin/tokens.",
  },
  admin_token_expired: {
    status: 401,
    error: "invalid_token",
    description: () =>
      "The admin token has expired. Send another one, or make a new one with POST /admin/tokens.",
  },
  // RFC 6750 section 3.1.
  admin_role_insufficient: {
    status: 403,
    error: "insufficient_scope",
    description: (role) =>
      `This needs an administrator with the role ${role}. Send an admin token that has it, or have the role given to you.`,
  },
  admin_request_cross_site: {
    status: 403,
    error: "access_denied",
    description: () =>
      "A page of another site has sent this request, so it may not be what the administrator wants. Send it from a program, or from a page of this server's origin.",
  },
  access_keys_unavailable: {
    status: 503,
    error: "temporarily_unavailable",
    description: () =>
      "The keys of Cloudflare Access cannot be fetched, so nobody can come in with it. Try again after the seconds in the header Retry-After, or send an admin token.",
  },
  admin_tokens_limited: {
    status: 429,
    error: "temporarily_unavailable",
    description: () =>
      "Too many wrong admin tokens came from this network. Try again after the seconds in the header Retry-After.",
  },
  admin_body_invalid: fieldInvalid(),
  // The encrypted authorization request that the sign-in page sends back.
  authorization_request_malformed: fieldInvalid(),
  authorization_request_forged: fieldInvalid(),
  authorization_request_expired: {
    ...fieldInvalid(),
    person: {
      title: "This sign-in took too long",
      words:
        "Go back to the app and sign in again. Nothing in your account has changed.",
    },
  },
  authorization_request_outdated: fieldInvalid(),
  authorization_consent_missing: fieldInvalid(),
  // The encrypted logout request that the login sends back.
  logout_request_malformed: fieldInvalid(),
  logout_request_forged: fieldInvalid(),
  logout_request_expired: {
    ...fieldInvalid(),
    person: {
      title: "This sign-out took too long",
      words:
        "You may still be signed in. Go back to the app and sign out again.",
    },
  },
  admin_target_unknown: {
    status: 404,
    error: "not_found",
    description: (what) => `There is no ${what}.`,
  },
  admin_token_name_taken: {
    status: 409,
    error: "conflict",
    description: () =>
      "There is an admin token with this name. Choose another name, or delete that token first.",
  },
  admin_precondition_failed: {
    status: 412,
    error: "precondition_failed",
    description: (what) =>
      `${what} was changed since you read it: If-Match is not its ETag. Read it again, and repeat the change if you still want it.`,
  },
  scope_of_resource: {
    status: 409,
    error: "conflict",
    description: (uri) =>
      `The resource ${uri} names this scope. Take it out of its scope first, or delete the resource.`,
  },
  client_id_taken: {
    status: 409,
    error: "conflict",
    description: () =>
      "client_id is taken by another client, or by one that was deleted. Choose another client_id. A client that was deleted in the last 30 days can be restored.",
  },
  client_not_deleted: {
    status: 409,
    error: "conflict",
    description: () => "This client is not deleted, so it cannot be restored.",
  },
  client_not_restorable: {
    status: 409,
    error: "conflict",
    description: (why) => `This client cannot be restored, because ${why}.`,
  },
  client_has_no_secret: {
    status: 409,
    error: "conflict",
    description: () =>
      "This client cannot have a secret, because its token_endpoint_auth_method is none.",
  },
  too_many_client_secrets: {
    status: 409,
    error: "conflict",
    description: (max) =>
      `The client already has ${max} secrets in force. Send old_secret_ttl PT0S to end them.`,
  },

  // Faults of the server. They consume no token, and their descriptions reveal no details.
  storage_unavailable: {
    status: 503,
    error: "temporarily_unavailable",
    description: () =>
      "The server is temporarily unavailable. Try again in a few seconds.",
  },
  // A user has more grants than one request can end.
  logout_incomplete: {
    status: 503,
    error: "temporarily_unavailable",
    description: () =>
      "The user has more grants than one request can end. Repeat the request: it goes on with the rest.",
  },
  // Only where the configuration says that no refresh goes on without the decision of the hook.
  refresh_hook_failed: {
    status: 503,
    error: "temporarily_unavailable",
    description: () =>
      "The server cannot find out now whether the login may go on. The refresh token is still good. Try again in a few seconds.",
  },
  logout_session_incomplete: {
    status: 503,
    error: "temporarily_unavailable",
    description: () =>
      "The user has more grants than one request can look at, so grants of the session may be left. End all grants of the user with DELETE /admin/subjects/{subject}/grants.",
  },
  configuration_malformed: serverError(),
  local_keys_missing: {
    status: 500,
    error: "server_error",
    description: () =>
      "This server has no keys yet. Type `npm run dev`, or `npm run baton -- setup --local` and start it again.",
    person: {
      title: "This server has no keys yet",
      words:
        "Type npm run dev, or npm run baton -- setup --local and start it again.",
    },
  },
  record_malformed: serverError(),
  unexpected: serverError(),
} as const satisfies Record<string, Refusal>;

function invalidClient() {
  return {
    status: 401,
    error: "invalid_client",
    description: () => "Client authentication failed.",
  } as const;
}

function invalidGrant(sentence: string) {
  return invalidGrantAbout(() => sentence);
}

function invalidGrantAbout(description: (subject: string) => string) {
  return { status: 400, error: "invalid_grant", description } as const;
}

function invalidToken(sentence: string) {
  return {
    status: 401,
    error: "invalid_token",
    description: () => sentence,
  } as const;
}

/** The subject is the whole sentence: it names each field and what is wrong with it. */
function fieldInvalid() {
  return {
    status: 400,
    error: "invalid_request",
    description: (problems: string) => problems,
  } as const;
}

function serverError() {
  return {
    status: 500,
    error: "server_error",
    description: () =>
      "An internal error occurred. The log of the server has the cause.",
  } as const;
}

/** The precise reason of a refusal: a row of the table. It goes to the log, never to the wire. */
export type Reason = keyof typeof refusals;
