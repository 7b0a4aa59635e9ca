import {
  invalidClient,
  invalidRequest,
  limited,
  type Refusal,
  row,
  serverError,
  unavailable,
} from "./refusal.ts";

/** The refusals of requests by their form and by their client, and the faults of the server. */
export const requestRefusals = {
  // Where the request was sent to.
  host_malformed: invalidRequest(
    "The header Host is not a host name with an optional port.",
  ),
  host_not_allowed: row(
    404,
    "not_found",
    "There is no endpoint at this host name.",
  ),
  https_required: invalidRequest(
    "This server does not answer plain http, because others on the network can read it. Send the request to the https URL. If it had a secret or a token in it, replace that.",
  ),

  // The request itself (RFC 6749 section 5.2, invalid_request).
  content_type_wrong: invalidRequest(
    "The Content-Type of the body must be application/x-www-form-urlencoded.",
  ),
  body_malformed: invalidRequest(
    "The body does not match its Content-Type, or contains a value that is not a string.",
  ),
  parameter_missing: invalidRequest(
    (name) => `The parameter ${name} is missing.`,
  ),
  parameter_repeated: invalidRequest(
    (name) => `The parameter ${name} was sent more than once. Send it once.`,
  ),
  two_authentication_methods: invalidRequest(
    "The request has more than one of HTTP Basic credentials, client_secret and client_assertion. Use only one of them.",
  ),
  two_client_ids: invalidRequest(
    "client_id in the body must be the same as in the Authorization header, or as sub of client_assertion.",
  ),
  body_incomplete: invalidRequest(
    "The body broke off, or its chunks are malformed. Send the whole request again.",
  ),
  body_too_large: row(
    413,
    "invalid_request",
    "The body is larger than 16 KiB.",
  ),
  path_unknown: row(404, "not_found", "There is no endpoint at this path."),
  method_not_allowed: row(
    405,
    "invalid_request",
    (methods) => `This path accepts only these methods: ${methods}.`,
  ),

  // Client authentication. All reasons have the same text, so that nobody learns which clients exist.
  client_id_missing: invalidClient(),
  client_id_malformed: invalidClient(),
  client_unknown: invalidClient(),
  client_disabled: invalidClient(),
  client_secret_wrong: invalidClient(),
  client_authentication_method_wrong: invalidClient(),
  basic_credentials_malformed: invalidClient(),
  // Of an assertion (private_key_jwt), in the order in which it is checked.
  client_assertion_type_unknown: invalidClient(),
  client_assertion_malformed: invalidClient(),
  client_assertion_of_another_kind: invalidClient(),
  client_assertion_algorithm_wrong: invalidClient(),
  client_assertion_issuer_wrong: invalidClient(),
  // `aud` is the URL of an endpoint. Old libraries send it.
  client_assertion_for_endpoint: invalidClient(),
  client_assertion_audience_wrong: invalidClient(),
  client_assertion_expired: invalidClient(),
  client_assertion_early: invalidClient(),
  client_assertion_long_lived: invalidClient(),
  client_keys_invalid: invalidClient(),
  client_assertion_key_unknown: invalidClient(),
  client_assertion_wrong: invalidClient(),
  client_assertion_used: invalidClient(),
  // It comes with a used refresh token. The login goes on.
  client_assertion_recorded: invalidClient(),
  client_certificate_missing: invalidClient(),
  client_certificate_unverified: invalidClient(),
  client_certificate_revoked: invalidClient(),
  client_certificate_wrong: invalidClient(),
  // Not invalid_client, because the secret may be right. RFC 6749 has no code for 429.
  client_secrets_limited: limited(
    "Too many failed authentications of this client came from this network.",
  ),

  // Not invalid_client, because the assertion may be right, and apps drop their tokens then. Not 503, because it is not
  // this server that is down.
  client_keys_unreachable: limited(
    "The jwks_uri of this client does not answer, and it is not asked again at once.",
  ),

  // Faults of the server. They consume no token, and their descriptions reveal no details.
  storage_unavailable: unavailable(
    "The server is temporarily unavailable. Try again in a few seconds.",
  ),
  // A user has more grants than one request can end.
  logout_incomplete: unavailable(
    "The user has more grants than one request can end. Repeat the request: it goes on with the rest.",
  ),
  // Only where the configuration says that no refresh goes on without the decision of the hook.
  refresh_hook_failed: unavailable(
    "The server cannot find out now whether the login may go on. The refresh token is still good. Try again in a few seconds.",
  ),
  logout_session_incomplete: unavailable(
    "The user has more grants than one request can look at, so grants of the session may be left. End all grants of the user with DELETE /admin/subjects/{subject}/grants.",
  ),
  assertion_ledger_not_bound: serverError(
    (binding) =>
      `A client cannot use an assertion here, because the binding ${binding} of this server is missing. Its operator adds it with: npm run baton -- setup --update.`,
  ),
  configuration_malformed: serverError(),
  local_keys_missing: {
    ...serverError(
      "This server has no keys yet. Type `npm run dev`, or `npm run baton -- setup --local` and start it again.",
    ),
    person: {
      title: "This server has no keys yet",
      words:
        "Type npm run dev, or npm run baton -- setup --local and start it again.",
    },
  },
  record_malformed: serverError(),
  unexpected: serverError(),
} as const satisfies Record<string, Refusal>;
