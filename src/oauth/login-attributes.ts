import type { Confirmation } from "./confirmation.ts";
import type { Seconds } from "./duration.ts";
import type { LoginClaims } from "./login-claims.ts";
import type { ResourceMemory } from "./resource-memory.ts";
import type { ScopeAndResource } from "./scope-and-resource.ts";

/** Identifies a client. A later client with the same id has another time. */
export interface ClientIdentity {
  client_id: string;
  /** The `client_id_issued_at` of the client. */
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
 * The attributes of a login. Only those of `LoginClaims` may change. They are carried whole from the authorization request
 * through the code, the family's record and the exchange to the token response, so that a new attribute is
 * added here, set in one place and read in one place.
 *
 * An attribute must survive JSON. The code that sets it must bound its size, because every family stores it.
 */
export interface LoginAttributes
  extends ClientIdentity, ScopeAndResource, ResourceMemory, LoginClaims {
  /** The user, by the name that the sign-in page gives: `sub` of the access tokens. */
  subject: string;
  /**
   * `client`: there is no user, and the subject is the id of the client. It becomes the claim `sub_type` of the
   * access tokens, because a user may have the name of a client (RFC 9700 section 4.15). Left out: a user.
   */
  sub_type?: "client";
  /**
   * The keys that the login is bound to: those that `dpop_jkt` of the authorization request names, then those that the
   * exchange of its code has proven. In the record of a family: the refresh tokens of a public client are bound to them
   * (RFC 9449 section 5, RFC 8705 section 4). Left out: none.
   */
  cnf?: Confirmation;
}

/** The attributes of a login before a user has signed in. */
export type RequestedLogin = Omit<
  LoginAttributes,
  "subject" | "sub_type" | keyof LoginClaims
>;
