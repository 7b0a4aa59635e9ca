import { invalidRequest, limited, type Refusal, row } from "./refusal.ts";

/** The refusals of sign-in and sign-out in the browser. */
export const signInRefusals = {
  // The authorization endpoint (RFC 6749 section 4.1.2.1). Until client and redirect URI are certain, the
  // user sees a page. Afterwards the browser is redirected to the client with the error.
  authorization_request_too_long: invalidRequest(
    (what) => `The authorization request is too long: ${what}.`,
  ),
  authorization_client_unknown: invalidRequest(
    "No client is registered with this client_id.",
  ),
  // A client of a metadata document. The builder of an agent finds out by these what is wrong with it.
  metadata_document_url_invalid: invalidRequest(
    (problem) =>
      `No client is registered with this client_id, and it is not the URL of a metadata document: ${problem}.`,
  ),
  metadata_document_host_denied: invalidRequest(
    "This server does not read metadata documents from the host of this client_id. Ask its operator.",
  ),
  metadata_document_unreachable: invalidRequest(
    (problem) =>
      `The metadata document of this client_id cannot be read now: ${problem}. Try again in a minute.`,
  ),
  metadata_document_invalid: invalidRequest(
    (problem) =>
      `The metadata document of this client_id is not valid: ${problem}.`,
  ),
  metadata_documents_limited: limited(
    "Too many metadata documents could not be read for this network.",
  ),
  redirect_uris_none: invalidRequest(
    "This client has no registered redirect URI. Register the one that the app sends.",
  ),
  redirect_uri_missing: invalidRequest(
    "The parameter redirect_uri is missing. It may be left out only if the client has exactly one registered redirect URI.",
  ),
  redirect_uri_unregistered: invalidRequest(
    "redirect_uri is not registered for this client. Every character must be equal, except for the port of a loopback address.",
  ),
  response_type_unsupported: row(
    400,
    "unsupported_response_type",
    "response_type must be code.",
  ),
  response_mode_unsupported: invalidRequest(
    "response_mode must be query or left out.",
  ),
  prompt_contradictory: invalidRequest(
    "prompt has none and another value. With none, send no other value.",
  ),
  // OpenID Connect Core sections 3.1.2.1, 3.1.2.6 and 6. Only for requests with the scope `openid`.
  request_object_unsupported: row(
    400,
    "request_not_supported",
    "This server does not support the parameter request. Send each parameter by itself.",
  ),
  request_uri_unsupported: row(
    400,
    "request_uri_not_supported",
    "This server does not support the parameter request_uri. Send each parameter by itself.",
  ),
  max_age_malformed: invalidRequest(
    "max_age must be a whole number of seconds, 0 or more, with at most 10 digits.",
  ),
  id_token_hint_invalid: invalidRequest(
    "id_token_hint must be an ID token that this server has made for this client. An expired ID token is accepted.",
  ),
  code_challenge_missing: invalidRequest(
    "The parameter code_challenge is missing. This client must use PKCE: send code_challenge, with code_challenge_method S256.",
  ),
  code_challenge_method_unsupported: invalidRequest(
    "code_challenge_method must be S256.",
  ),
  code_challenge_malformed: invalidRequest(
    "code_challenge must be the base64url of a SHA-256 digest: 43 characters without padding.",
  ),
  dpop_jkt_malformed: invalidRequest(
    "dpop_jkt must be the SHA-256 thumbprint of a public key in base64url: 43 characters without padding (RFC 7638).",
  ),

  // The end session endpoint (OpenID Connect RP-Initiated Logout). The user sees a page.
  logout_request_too_long: invalidRequest(
    (what) => `The logout request is too long: ${what}.`,
  ),
  logout_hint_invalid: invalidRequest(
    "id_token_hint is not an ID token that this server has issued for this login, or its key is no longer published. An expired ID token is accepted.",
  ),
  logout_client_differs: invalidRequest(
    "client_id is not the client that id_token_hint was issued to.",
  ),
  logout_client_missing: invalidRequest(
    "post_logout_redirect_uri was sent without a client. Send id_token_hint or client_id too.",
  ),
  logout_client_unknown: invalidRequest(
    "No client is registered with this client_id, or with the audience of id_token_hint.",
  ),
  logout_redirect_uri_unregistered: invalidRequest(
    "post_logout_redirect_uri is not registered for this client. Every character must be equal, except for the port of a loopback address.",
  ),
  logout_hint_missing: invalidRequest(
    "The parameter id_token_hint is missing. This server has no LOGOUT_URL, so that only an ID token tells whom to sign out.",
  ),
} as const satisfies Record<string, Refusal>;
