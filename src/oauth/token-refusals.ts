import {
  invalidGrant,
  invalidRequest,
  invalidToken,
  limited,
  type Refusal,
  row,
} from "./refusal.ts";

const proofInvalid = (problem: string) =>
  `The DPoP proof is not valid: ${problem}.`;
const nonceMissing = (problem: string) =>
  `The DPoP proof needs a nonce of this server: ${problem}. Try again with the nonce in the header DPoP-Nonce.`;

/** The refusals of the endpoints to which tokens or codes are sent. */
export const tokenRefusals = {
  // The grant type, and the code or token that it takes. Reasons that must not be told apart have the same
  // text.
  grant_type_unknown: row(
    400,
    "unsupported_grant_type",
    "This server does not support this grant_type. Its metadata lists the supported ones.",
  ),
  grant_type_not_allowed: row(
    400,
    "unauthorized_client",
    (type) =>
      `The registration of this client does not allow the grant type ${type}.`,
  ),
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
  // DPoP (RFC 9449 sections 5 and 8). The subject says what is wrong, without a value of the proof.
  dpop_proof_invalid: row(400, "invalid_dpop_proof", proofInvalid),
  dpop_proof_missing: row(
    400,
    "invalid_dpop_proof",
    "The registration of this client says that it always proves its key (dpop_bound_access_tokens). Send the header DPoP.",
  ),
  dpop_nonce_missing: row(400, "use_dpop_nonce", nonceMissing),
  // RFC 8705 section 3 names no code. Nothing is wrong with the grant: the request lacks what the client has announced.
  certificate_to_bind_missing: invalidRequest(
    "The registration of this client says that its tokens are bound to its client certificate (tls_client_certificate_bound_access_tokens). Send the request with the certificate, to an address that asks for it. Nothing has been used up.",
  ),
  authorization_code_of_another_key: invalidGrant(
    "The authorization code is bound to a key (dpop_jkt), and the request has no DPoP proof of it. It was not used up.",
  ),
  // The login goes on, because the sender has not shown to be its holder.
  refresh_token_proof_missing: row(
    400,
    "invalid_dpop_proof",
    "The refresh token is bound to a key, and the request has no proof of it. Send the header DPoP. The token is still good.",
  ),
  // As `certificate_to_bind_missing`: a client that forgot its certificate must not drop a good token.
  refresh_token_certificate_missing: invalidRequest(
    "The refresh token is bound to a client certificate, and the request has none. Send the request with the certificate, to an address that asks for it. The token is still good.",
  ),
  refresh_token_of_another_key: invalidGrant(
    "The refresh token is bound to another key than the one that the request proves. If the key is lost, the user must sign in again.",
  ),
  refresh_token_malformed: invalidGrant("The refresh token is not valid."),
  refresh_token_forged: invalidGrant("The refresh token is not valid."),
  // A token whose login had reached its end as well is refused as `family_too_old`.
  refresh_token_expired: invalidGrant((because) =>
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
  refresh_token_reused: invalidGrant((looksLike) =>
    looksLike === "theft"
      ? "The refresh token is an old one: another process has the newer tokens of the login, or somebody has a copy of this one. So the login was ended. The user must sign in again."
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
  league_tokens_limited: limited("Too many refresh tokens were not valid."),

  // The UserInfo endpoint (OpenID Connect Core section 5.3.3, RFC 6750 section 3.1).
  access_token_missing: invalidToken(
    "The access token is missing. Send it in the header Authorization.",
  ),
  two_access_tokens: invalidRequest(
    "The request has an access token in the header Authorization and another one in the body. Send it once.",
  ),
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
  // Tokens that are bound to a key or a certificate (RFC 9449 section 7, RFC 8705 section 3).
  access_token_proof_invalid: row(401, "invalid_dpop_proof", proofInvalid),
  access_token_nonce_missing: row(401, "use_dpop_nonce", nonceMissing),
  access_token_bound: invalidToken(
    "The access token is bound to a key, and is not a bearer token. Send it with the scheme DPoP and a proof of the key.",
  ),
  access_token_not_bound: invalidToken(
    "The access token is not bound to a key. Send it with the scheme Bearer.",
  ),
  access_token_of_another_key: invalidToken(
    "The access token is bound to another key or client certificate than the one that the request proves. Use that of the token.",
  ),
  access_token_without_user: invalidToken(
    "This access token is of the client itself, so there is no user to tell about.",
  ),
  access_token_scope_insufficient: row(
    403,
    "insufficient_scope",
    (scope) =>
      `The access token does not have the scope ${scope}, or its client may no longer have it.`,
  ),

  // Scope and resource.
  scope_malformed: row(
    400,
    "invalid_scope",
    "scope must be one or more scopes with spaces between them, or be left out. Other white space, quotation marks and backslashes are not allowed.",
  ),
  scope_not_granted: row(400, "invalid_scope", (name) =>
    name
      ? `scope asks for ${name}, which was not granted or which the client may not have.`
      : "scope asks for more than was granted or than the client may have.",
  ),
  // At /authorize only. Scopes that the client may not have are dropped there, and here none is left.
  scope_none_left: row(
    400,
    "invalid_scope",
    (names) =>
      `The client has none of these scopes, or the scope catalogue does not: ${names}. An operator adds them with: clients update ID --add-scope SCOPE. To clients that registered themselves: resources put.`,
  ),
  scope_all_lost: row(
    400,
    "invalid_scope",
    "The client may no longer have any of the granted scopes. Check the scope of its registration.",
  ),
  scope_of_another_resource: row(
    400,
    "invalid_scope",
    (name) =>
      `${name ? `The scope ${name}` : "A scope that was asked for or granted"} belongs to another resource than the token. Send the parameter resource with the URI of its resource.`,
  ),
  resource_missing: row(
    400,
    "invalid_target",
    "A client that registered itself gets tokens for a resource only. Send the parameter resource with the URI of one that this server opens to such clients.",
  ),
  resource_not_allowed: row(
    400,
    "invalid_target",
    "resource must be one that was granted and that the client may ask for, and spelled as the operator has entered it. An operator looks at: resources list, clients show ID.",
  ),

  // Revocation (RFC 7009).
  token_of_another_client: invalidGrant("The token is not valid."),
  token_not_revocable: row(
    400,
    "unsupported_token_type",
    "This access token was issued to the client itself and cannot be revoked. It is valid until it expires.",
  ),
  id_token_not_revocable: row(
    400,
    "unsupported_token_type",
    "This is an ID token, which cannot be revoked. Send the refresh token, which ends the login.",
  ),
} as const satisfies Record<string, Refusal>;
