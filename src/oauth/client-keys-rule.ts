import type { AuthenticationMethod } from "./authentication-methods.ts";
import type { ClientKeys } from "./client-keys.ts";

/** The fields of a client by which it proves a key. */
interface KeyFields {
  token_endpoint_auth_method?: AuthenticationMethod | undefined;
  jwks?: ClientKeys | undefined;
  jwks_uri?: string | undefined;
  tls_client_auth_subject_dn?: string | undefined;
}

/** A field that does not fit the others, and what is wrong with it. */
interface FieldProblem {
  field: string;
  problem: string;
}

/** Checks the fields by which a client proves a key against each other (RFC 7591 section 2, RFC 8705 section 2). */
export function keyFieldsProblem({
  token_endpoint_auth_method: method,
  jwks,
  jwks_uri,
  tls_client_auth_subject_dn,
}: KeyFields): FieldProblem | undefined {
  const hasKeys = jwks !== undefined || jwks_uri !== undefined;
  if (jwks && jwks_uri !== undefined)
    return {
      field: "jwks_uri",
      problem: "must not be there together with jwks. Remove one of them",
    };
  if (method === "private_key_jwt" && !hasKeys)
    return {
      field: "jwks",
      problem:
        "is missing: private_key_jwt needs the public keys of the client here, or their address in jwks_uri",
    };
  if (method === "tls_client_auth" && tls_client_auth_subject_dn === undefined)
    return {
      field: "tls_client_auth_subject_dn",
      problem:
        "is missing: tls_client_auth needs the subject of the client certificate",
    };
  const hasCertificate = jwks?.keys.some(({ x5c }) => x5c !== undefined);
  if (method === "self_signed_tls_client_auth" && !hasCertificate)
    return {
      field: "jwks",
      problem:
        "must have a key with x5c: self_signed_tls_client_auth needs the certificate of the client",
    };
  return undefined;
}
