import type { Seconds } from "./duration.ts";
import type { ScopeAndResource } from "./scope-and-resource.ts";

/** A client, told apart from a later client with the same id. */
export interface ClientIdentity {
  client_id: string;
  /** When the client was made. */
  client_issued_at: Seconds;
}

export function identityOf(client: {
  client_id: string;
  client_id_issued_at: Seconds;
}): ClientIdentity {
  const { client_id, client_id_issued_at: client_issued_at } = client;
  return { client_id, client_issued_at };
}

export function isSameClient(
  one: ClientIdentity,
  other: ClientIdentity,
): boolean {
  return (
    one.client_id === other.client_id &&
    one.client_issued_at === other.client_issued_at
  );
}

/**
 * Everything that a login is made of and keeps. It is carried whole from the authorization request over
 * the code, the family's record and the exchange to the token response: a new attribute is added here,
 * set in one place and read in one place.
 *
 * It must survive JSON, and its size must be bounded where it is set: every family stores it.
 */
export interface LoginAttributes extends ClientIdentity, ScopeAndResource {
  /** The user: `sub` of the access tokens. */
  subject: string;
}

/** A login before anybody has signed in. */
export type RequestedLogin = Omit<LoginAttributes, "subject">;
