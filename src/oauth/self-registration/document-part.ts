import type { Client } from "../entities.ts";

/** The fields of a client that its metadata document decides. An operator may set every other field of its record. */
type DocumentPart = Pick<
  Client,
  "client_name" | "grant_types" | "redirect_uris" | "token_endpoint_auth_method"
>;

/** Returns what the metadata document of a client decides, always in the same order. */
export function documentPart({
  client_name,
  grant_types,
  redirect_uris,
  token_endpoint_auth_method,
}: Client): DocumentPart {
  return {
    ...(client_name !== undefined && { client_name }),
    grant_types,
    redirect_uris,
    ...(token_endpoint_auth_method && { token_endpoint_auth_method }),
  };
}

/** Returns a stored client as its metadata document is now, with everything that an operator has set. */
export function withDocumentPart(stored: Client, document: Client): Client {
  const {
    client_name: _name,
    token_endpoint_auth_method: _method,
    ...rest
  } = stored;
  return { ...rest, ...documentPart(document) };
}
