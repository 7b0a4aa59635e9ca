import type { AuthenticationMethod } from "./authentication-methods.ts";
import type { ClientKeys } from "./client-keys.ts";

/** The fields that name what the certificate of a client must have (RFC 8705 section 2.1.2). */
export const subjectFields = [
  "tls_client_auth_subject_dn",
  "tls_client_auth_san_dns",
  "tls_client_auth_san_uri",
  "tls_client_auth_san_ip",
  "tls_client_auth_san_email",
] as const;

/** The fields of a client by which it proves a key. */
type KeyFields = {
  token_endpoint_auth_method?: AuthenticationMethod | undefined;
  jwks?: ClientKeys | undefined;
  jwks_uri?: string | undefined;
} & { [Name in (typeof subjectFields)[number]]?: string | undefined };

/** A field that does not fit the others, and what is wrong with it. */
interface FieldProblem {
  field: string;
  problem: string;
}

/** Checks the fields by which a client proves a key against each other (RFC 7591 section 2, RFC 8705 section 2). */
export function keyFieldsProblem(client: KeyFields): FieldProblem | undefined {
  const { token_endpoint_auth_method: method, jwks, jwks_uri } = client;
  if (jwks && jwks_uri !== undefined)
    return {
      field: "jwks_uri",
      problem: "must not be there together with jwks. Remove one of them",
    };
  const hasKeys = jwks !== undefined || jwks_uri !== undefined;
  if (method === "private_key_jwt" && !hasKeys)
    return {
      field: "jwks",
      problem:
        "is missing: private_key_jwt needs the public keys of the client here, or their address in jwks_uri",
    };
  const hasCertificate =
    jwks_uri !== undefined ||
    jwks?.keys.some(
      ({ x5c, "x5t#S256": hash }) => x5c !== undefined || hash !== undefined,
    );
  if (method === "self_signed_tls_client_auth" && !hasCertificate)
    return {
      field: "jwks",
      problem:
        "must have a key with x5c, because self_signed_tls_client_auth compares the certificate of the client. Or jwks_uri leads to such keys",
    };
  const [subject, another] = subjectFields.filter(
    (name) => client[name] !== undefined,
  );
  if (another !== undefined)
    return {
      field: another,
      problem: `must not be there together with ${subject}. Remove one of them`,
    };
  if (method === "tls_client_auth" && subject === undefined)
    return {
      field: "tls_client_auth_subject_dn",
      problem:
        "is missing: tls_client_auth needs the subject of the client certificate, or one of its alternative names (tls_client_auth_san_…)",
    };
  return undefined;
}
