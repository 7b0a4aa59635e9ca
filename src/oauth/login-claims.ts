import type { Seconds } from "./duration.ts";

/**
 * Claims by their names (RFC 7519 section 4). A value survives JSON. Its type is not exact, because the types of RPC
 * have no end for one that contains itself.
 */
export type Claims = Record<string, unknown>;

/**
 * What the login says about the person and the sign-in. Baton keeps it in the family and checks nothing of it but
 * its form and size. The login or an administrator may change it while the family lives.
 */
export interface LoginClaims {
  /** The time of the sign-in (OpenID Connect Core section 2). */
  auth_time?: Seconds;
  /** The authentication context class, such as the level of assurance. */
  acr?: string;
  /** The authentication methods (RFC 8176). */
  amr?: string[];
  /** The session at the login. Families with the same subject and `sid` are signed out together. */
  sid?: string;
  /** For the access token. They need no scope. */
  claims?: Claims;
  /** About the person, for the ID token and the UserInfo endpoint. Scopes release them. */
  id_token_claims?: Claims;
  /** About the person, for the UserInfo endpoint alone. Scopes release them. */
  userinfo?: Claims;
}

/** The names of the fields, for code that carries all of them. */
export const loginClaimNames = [
  "auth_time",
  "acr",
  "amr",
  "sid",
  "claims",
  "id_token_claims",
  "userinfo",
] as const satisfies readonly (keyof LoginClaims)[];

export type LoginClaimName = (typeof loginClaimNames)[number];

/** Changes of the fields. Each that is named gets the new value, as a whole; null removes it. */
export type LoginClaimChanges = {
  [Name in LoginClaimName]?: LoginClaims[Name] | null | undefined;
};

/** The fields that are objects of claims. */
export type ClaimsField = "claims" | "id_token_claims" | "userinfo";

/** The claims by which a token says what it is and whose. Baton alone sets them (RFC 7519 section 4.1, RFC 9068). */
const ofEveryToken = [
  "iss",
  "sub",
  "sub_type",
  "aud",
  "exp",
  "iat",
  "nbf",
  "jti",
  "client_id",
  "scope",
  "scopes",
  "auth_time",
  "acr",
  "amr",
  "sid",
  "azp",
  "nonce",
  "at_hash",
  "c_hash",
  "s_hash",
  "cnf",
  "act",
  "may_act",
  "events",
];

/** The claims about a person that OpenID Connect Core gives another meaning (sections 5.6.2 and 7). */
const ofPerson = [...ofEveryToken, "sub_jwk", "_claim_names", "_claim_sources"];

/** The names that claims of the login cannot have. `claims` also come in answers of RFC 7662 section 2.2. */
export const registeredClaims: Record<ClaimsField, readonly string[]> = {
  claims: [...ofEveryToken, "active", "token_type", "username"],
  id_token_claims: ofPerson,
  userinfo: ofPerson,
};

/** The most bytes of all fields together, as JSON in UTF-8. Every family stores them, and a code carries them. */
export const MAX_LOGIN_CLAIMS_BYTES = 2048;

/** Takes the login's claims out of an object that has more fields. */
export function loginClaimsOf(from: LoginClaimChanges): LoginClaims {
  const entries = loginClaimNames.flatMap((name) => {
    const value = from[name];
    return value === undefined || value === null ? [] : [[name, value]];
  });
  return Object.fromEntries(entries) as LoginClaims;
}

/** Returns the size of the login's claims in an object, in bytes. */
export function sizeOfLoginClaims(from: LoginClaimChanges): number {
  return new TextEncoder().encode(JSON.stringify(loginClaimsOf(from))).length;
}

/** Returns the field that takes the most bytes, for an error that must name one. */
export function largestLoginClaim(from: LoginClaimChanges): LoginClaimName {
  const size = (name: LoginClaimName) =>
    sizeOfLoginClaims({ [name]: from[name] });
  return loginClaimNames.reduce((one, other) =>
    size(other) > size(one) ? other : one,
  );
}

/** Changes the login's claims in an object that has more fields. */
export function withLoginClaims<T extends LoginClaims>(
  before: T,
  changes: LoginClaimChanges,
): T {
  const after = { ...before };
  for (const name of loginClaimNames) {
    if (changes[name] === undefined) continue;
    delete after[name];
    Object.assign(after, loginClaimsOf({ [name]: changes[name] }));
  }
  return after;
}

/** Returns what the access token says of a login (RFC 9068 sections 2.2.1 and 2.2.3). */
export function accessTokenClaimsOf({
  auth_time,
  acr,
  amr,
  claims,
}: LoginClaims): Pick<LoginClaims, "auth_time" | "acr" | "amr" | "claims"> {
  return {
    ...(auth_time !== undefined && { auth_time }),
    ...(acr !== undefined && { acr }),
    ...(amr && { amr }),
    ...(claims && { claims }),
  };
}

/**
 * Tells whether a reader may take a claim for a registered one. Some readers compare names without case, and some
 * normalise them (NFKC). To upper case and back, because there are small letters whose capital is a Latin one, such as
 * the dotless i.
 */
export function isRegisteredClaim(field: ClaimsField, name: string): boolean {
  const folded = name.normalize("NFKC").toUpperCase().toLowerCase();
  return registeredClaims[field].includes(folded);
}

/** Leaves out the claims whose names are registered, so that they replace none of Baton's own. */
export function unregisteredClaims(
  field: ClaimsField,
  claims: Claims = {},
): Claims {
  return Object.fromEntries(
    Object.entries(claims).filter(([name]) => !isRegisteredClaim(field, name)),
  );
}
