import type { Seconds } from "../duration.ts";
import { type Client, isPublic } from "../entities.ts";

/** The fields of a client that its metadata document decides. An operator may set every other field of its record. */
type DocumentPart = Pick<
  Client,
  | "client_name"
  | "grant_types"
  | "redirect_uris"
  | "token_endpoint_auth_method"
  | "jwks"
  | "jwks_uri"
  | "dpop_bound_access_tokens"
>;

/**
 * The age of the logins that end when a document makes its client public, in seconds. A sign-in in which the new document
 * was read is younger, so its login goes on: a code lasts for a minute, and two locations' clocks differ by a minute.
 */
const OLD_LOGIN_SECONDS = 5 * 60;

/** Returns what the metadata document of a client decides, always in the same order. */
export function documentPart({
  client_name,
  grant_types,
  redirect_uris,
  token_endpoint_auth_method,
  jwks,
  jwks_uri,
  dpop_bound_access_tokens,
}: Client): DocumentPart {
  return {
    ...(client_name !== undefined && { client_name }),
    grant_types,
    redirect_uris,
    ...(token_endpoint_auth_method && { token_endpoint_auth_method }),
    ...(jwks && { jwks }),
    ...(jwks_uri !== undefined && { jwks_uri }),
    ...(dpop_bound_access_tokens && { dpop_bound_access_tokens }),
  };
}

/**
 * Returns a stored client as its metadata document is now, with everything that an operator has set. If the document
 * makes it public, its older logins end, so that a token that was useless without the key stays useless.
 */
export function withDocumentPart(
  stored: Client,
  document: Client,
  now: Seconds,
): Client {
  const {
    client_name: _name,
    token_endpoint_auth_method: _method,
    jwks: _jwks,
    jwks_uri: _uri,
    dpop_bound_access_tokens: _bound,
    ...rest
  } = stored;
  const client = { ...rest, ...documentPart(document) };
  if (!isPublic(document) || isPublic(stored)) return client;
  const floor = Math.max(
    stored.tokens_not_before ?? 0,
    now - OLD_LOGIN_SECONDS,
  );
  return { ...client, tokens_not_before: floor };
}
