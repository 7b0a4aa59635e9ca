/**
 * The methods of client authentication, with the names of RFC 7591 section 2. The client schema, the metadata
 * and the command line derive from this list.
 */
export const authenticationMethods = [
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "tls_client_auth",
  "self_signed_tls_client_auth",
  "none",
] as const;

export type AuthenticationMethod = (typeof authenticationMethods)[number];

/** The methods by a client certificate (RFC 8705 section 2). They need CLIENT_CERTIFICATES. */
export const certificateMethods: readonly AuthenticationMethod[] = [
  "tls_client_auth",
  "self_signed_tls_client_auth",
];

/** The methods by a key of the client's: nobody who reads a request can authenticate with what was in it. */
export const keyMethods: readonly AuthenticationMethod[] = [
  "private_key_jwt",
  ...certificateMethods,
];

/**
 * Tells whether a client of a method has a secret.
 *
 * @param method left out: the client may send its secret by HTTP Basic or in the body
 */
export function isBySecret(method?: AuthenticationMethod): boolean {
  return (
    method === undefined ||
    (isConfidential(method) && !keyMethods.includes(method))
  );
}

/** The methods that the configuration turns on. */
export function enabledMethods({
  client_certificates,
}: {
  client_certificates: boolean;
}): AuthenticationMethod[] {
  return authenticationMethods.filter(
    (method) => client_certificates || !certificateMethods.includes(method),
  );
}

/** The methods of confidential clients (RFC 6749 section 2.1). */
export const confidentialMethods = authenticationMethods.filter(isConfidential);

/** Tells whether a method is one of confidential clients. */
export function isConfidential(method: AuthenticationMethod): boolean {
  return method !== "none";
}
