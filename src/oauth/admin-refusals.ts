import {
  conflict,
  fieldInvalid,
  invalidToken,
  limited,
  type Refusal,
  row,
  unavailable,
} from "./refusal.ts";

/** The refusals of the admin API. */
export const adminRefusals = {
  admin_token_wrong: invalidToken(
    "The admin token is missing or wrong. Send the header Authorization: Bearer with the value of the secret ADMIN_TOKEN, or with an admin token that was made with POST /admin/tokens.",
  ),
  admin_token_expired: invalidToken(
    "The admin token has expired. Send another one, or make a new one with POST /admin/tokens.",
  ),
  // RFC 6750 section 3.1.
  admin_role_insufficient: row(
    403,
    "insufficient_scope",
    (role) =>
      `This needs an administrator with the role ${role}. Send an admin token that has it, or have the role given to you.`,
  ),
  admin_request_cross_site: row(
    403,
    "access_denied",
    "A page of another site has sent this request, so it may not be what the administrator wants. Send it from a program, or from a page of this server's origin.",
  ),
  access_keys_unavailable: unavailable(
    "The keys of Cloudflare Access cannot be fetched, so nobody can come in with it. Try again after the seconds in the header Retry-After, or send an admin token.",
  ),
  admin_tokens_limited: limited(
    "Too many wrong admin tokens came from this network.",
  ),
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
  admin_target_unknown: row(404, "not_found", (what) => `There is no ${what}.`),
  admin_token_name_taken: conflict(
    "There is an admin token with this name. Choose another name, or delete that token first.",
  ),
  admin_precondition_failed: row(
    412,
    "precondition_failed",
    (what) =>
      `${what} was changed since you read it: If-Match is not its ETag. Read it again, and repeat the change if you still want it.`,
  ),
  scope_of_resource: conflict(
    (uri) =>
      `The resource ${uri} names this scope. Take it out of its scope first, or delete the resource.`,
  ),
  client_id_taken: conflict(
    "client_id is taken by another client, or by one that was deleted. Choose another client_id. A client that was deleted in the last 30 days can be restored.",
  ),
  client_not_deleted: conflict(
    "This client is not deleted, so it cannot be restored.",
  ),
  client_not_restorable: conflict(
    (why) => `This client cannot be restored, because ${why}.`,
  ),
  client_has_no_secret: conflict(
    (method) =>
      `This client cannot have a secret, because its token_endpoint_auth_method is ${method}.`,
  ),
  too_many_client_secrets: conflict(
    (max) =>
      `The client already has ${max} secrets in force. Send old_secret_ttl PT0S to end them.`,
  ),
} as const satisfies Record<string, Refusal>;
