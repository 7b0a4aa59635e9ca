/**
 * Every way in which Baton says no, in one table: the precise reason for the log, and the standard
 * error code, status and description for the wire (RFC 6749 section 5.2, RFC 8707 section 2).
 */

interface Refusal {
  status: 400 | 401 | 404 | 405 | 409 | 413 | 429 | 500 | 503;
  error: string;
  /** Plain words for the client's developer; `subject` is the parameter or thing it is about. */
  description: (subject: string) => string;
  /** For the person who sees a page, where the status alone does not say it. */
  person?: { title: string; words: string };
}

export const refusals = {
  // The request itself (RFC 6749 section 5.2, invalid_request).
  content_type_wrong: {
    status: 400,
    error: "invalid_request",
    description: () => "The body has to be application/x-www-form-urlencoded.",
  },
  body_malformed: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The body is not what its Content-Type says, or has something else than texts in it.",
  },
  parameter_missing: {
    status: 400,
    error: "invalid_request",
    description: (name) => `The parameter ${name} is missing.`,
  },
  parameter_repeated: {
    status: 400,
    error: "invalid_request",
    description: (name) => `The parameter ${name} is there more than once.`,
  },
  two_authentication_methods: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "The client authenticates by HTTP Basic and by client_secret at once; use one of them.",
  },
  two_client_ids: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "client_id in the body is not the one in the Authorization header.",
  },
  body_too_large: {
    status: 413,
    error: "invalid_request",
    description: () => "The body is larger than 16 KiB.",
  },
  path_unknown: {
    status: 404,
    error: "not_found",
    description: () => "There is nothing at this path.",
  },
  method_not_allowed: {
    status: 405,
    error: "invalid_request",
    description: (methods) => `This path answers to ${methods} only.`,
  },

  // Client authentication: one wording for all, so that nobody learns which clients exist.
  client_id_missing: invalidClient(),
  client_id_malformed: invalidClient(),
  client_unknown: invalidClient(),
  client_secret_wrong: invalidClient(),
  client_authentication_method_wrong: invalidClient(),
  basic_credentials_malformed: invalidClient(),

  // The authorization endpoint (RFC 6749 section 4.1.2.1): before it is certain who asks and where the
  // answer goes, the person sees a page; after that, the client learns of it by redirect.
  authorization_request_too_long: {
    status: 400,
    error: "invalid_request",
    description: (what) => `The request is too long: ${what}.`,
  },
  authorization_client_unknown: {
    status: 400,
    error: "invalid_request",
    description: () => "There is no client with this client_id.",
  },
  redirect_uris_none: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "This client has no redirect URI: register the one that the app sends.",
  },
  redirect_uri_missing: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "redirect_uri is missing; it may be left out only where the client has registered exactly one.",
  },
  redirect_uri_unregistered: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "redirect_uri is not one that the client has registered; it is compared character by character.",
  },
  response_type_unsupported: {
    status: 400,
    error: "unsupported_response_type",
    description: () => "response_type has to be code.",
  },
  response_mode_unsupported: {
    status: 400,
    error: "invalid_request",
    description: () => "response_mode has to be query, or left out.",
  },
  code_challenge_method_unsupported: {
    status: 400,
    error: "invalid_request",
    description: () => "code_challenge_method has to be S256.",
  },
  code_challenge_malformed: {
    status: 400,
    error: "invalid_request",
    description: () =>
      "code_challenge has to be the base64url of a SHA-256: 43 characters without padding.",
  },

  // The grant.
  grant_type_unknown: {
    status: 400,
    error: "unsupported_grant_type",
    description: () =>
      "This server does not know that grant_type; its metadata lists those it knows.",
  },
  grant_type_not_allowed: {
    status: 400,
    error: "unauthorized_client",
    description: (type) =>
      `This client is not registered for the grant type ${type}.`,
  },
  authorization_code_malformed: invalidGrant("The code is not valid."),
  authorization_code_forged: invalidGrant("The code is not valid."),
  authorization_code_of_another_client: invalidGrant("The code is not valid."),
  authorization_code_expired: invalidGrant(
    "The code has expired. The user has to sign in again.",
  ),
  authorization_code_reused: invalidGrant(
    "The code was already used, so its login was ended. The user has to sign in again.",
  ),
  authorization_code_revoked: invalidGrant(
    "The user was logged out after this code was made, and has to sign in again.",
  ),
  authorization_request_reused: invalidGrant(
    "The authorization request of this code has already led to a login. Start with a new one.",
  ),
  redirect_uri_differs: invalidGrant(
    "redirect_uri is not the one of the authorization request.",
  ),
  code_verifier_wrong: invalidGrant(
    "code_verifier does not fit the code_challenge of the authorization request.",
  ),
  refresh_token_malformed: invalidGrant("The refresh token is not valid."),
  refresh_token_forged: invalidGrant("The refresh token is not valid."),
  refresh_token_expired: invalidGrant(
    "The refresh token has expired. The user has to sign in again.",
  ),
  refresh_token_of_another_client: invalidGrant(
    "The refresh token is not valid.",
  ),
  family_ended: invalidGrant(
    "The login of this refresh token has ended. The user has to sign in again.",
  ),
  refresh_token_reused: invalidGrant(
    "The refresh token was already used, so its login was ended. The user has to sign in again.",
  ),
  retry_differs: invalidGrant(
    "The refresh token was already used, with another scope or resource; repeat that request, or go on with its answer.",
  ),

  // Refresh tokens of the league server that this one takes over from.
  league_token_unreadable: invalidGrant("The refresh token is not valid."),
  league_token_revoked: invalidGrant(
    "The refresh token was revoked. The user has to sign in again.",
  ),
  league_token_logged_out: invalidGrant(
    "The user was logged out after this refresh token was made, and has to sign in again.",
  ),
  league_tokens_limited: {
    status: 429,
    error: "temporarily_unavailable",
    description: () =>
      "Too many refresh tokens that are not valid came from here. Try again after Retry-After seconds.",
  },

  scope_malformed: {
    status: 400,
    error: "invalid_scope",
    description: () =>
      "scope is not a list of scopes with one space between them.",
  },
  scope_not_granted: {
    status: 400,
    error: "invalid_scope",
    description: (name) =>
      `scope asks for ${name || "more"}: it was not granted, or the client may not have it.`,
  },
  scope_all_lost: {
    status: 400,
    error: "invalid_scope",
    description: () =>
      "The client may not have any of the granted scopes any more.",
  },
  resource_not_allowed: {
    status: 400,
    error: "invalid_target",
    description: () =>
      "resource is not one that was granted and that the client may ask for.",
  },

  token_of_another_client: invalidGrant("The token is not valid."),
  token_not_revocable: {
    status: 400,
    error: "unsupported_token_type",
    description: () =>
      "An access token of the client itself cannot be revoked; it ends when it expires.",
  },

  // The admin API.
  admin_token_wrong: {
    status: 401,
    error: "invalid_token",
    description: () =>
      "Send Authorization: Bearer with the value of the secret ADMIN_TOKEN.",
  },
  admin_body_invalid: fieldInvalid(),
  // What the login brings back of the authorization endpoint.
  authorization_request_malformed: fieldInvalid(),
  authorization_request_forged: fieldInvalid(),
  authorization_request_expired: {
    ...fieldInvalid(),
    person: {
      title: "This sign-in took too long",
      words:
        "Go back to the app and sign in once more. Nothing has happened yet.",
    },
  },
  authorization_request_outdated: fieldInvalid(),
  admin_target_unknown: {
    status: 404,
    error: "not_found",
    description: (what) => `There is no ${what}.`,
  },
  client_id_taken: {
    status: 409,
    error: "conflict",
    description: () =>
      "client_id: there is, or was, a client with this id; choose another.",
  },
  client_has_no_secret: {
    status: 409,
    error: "conflict",
    description: () =>
      "A client with token_endpoint_auth_method none has no secret.",
  },
  too_many_client_secrets: {
    status: 409,
    error: "conflict",
    description: (most) =>
      `The client already has ${most} secrets in force; end the old ones with old_secret_ttl PT0S.`,
  },

  // Our own faults. None of them consumes a token, and none gives details away.
  storage_unavailable: {
    status: 503,
    error: "temporarily_unavailable",
    description: () => "The server cannot do this right now. Try again.",
  },
  configuration_malformed: serverError(),
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
  return {
    status: 400,
    error: "invalid_grant",
    description: () => sentence,
  } as const;
}

/** The sentence names the field, and what is wrong with it. */
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
    description: () => "Something went wrong here.",
  } as const;
}

/** Why a request was refused, precisely: for the log, never for the wire. */
export type Reason = keyof typeof refusals;
