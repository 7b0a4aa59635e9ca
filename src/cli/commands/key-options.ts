import type { AuthenticationMethod } from "../../oauth/authentication-methods.ts";
import { subjectFields } from "../../oauth/client-keys-rule.ts";
import { Failure } from "../failure.ts";
import { flagOf } from "./field-flags.ts";

/** The methods that use a field of a client by which it proves a key. No other method reads it. */
const methodsOf = new Map<string, readonly AuthenticationMethod[]>([
  ...["jwks", "jwks_uri"].map(
    (field) =>
      [field, ["private_key_jwt", "self_signed_tls_client_auth"]] as const,
  ),
  ...subjectFields.map((field) => [field, ["tls_client_auth"]] as const),
]);

/** The fields of a client that only some methods use, with these methods. */
export function fieldsOfMethods(fields: Record<string, unknown>) {
  return [...methodsOf].filter(
    ([field]) => fields[field] !== undefined && fields[field] !== null,
  );
}

/**
 * Refuses a key or the name of a certificate that the client would not use, because it authenticates in another way.
 *
 * @param fields the fields to set
 * @param method the method that the client then has. Null or left out: a secret
 * @throws Failure with the method to add
 */
export function refuseUnusedKey(
  fields: Record<string, unknown>,
  method: unknown,
): void {
  const unused = fieldsOfMethods(fields).find(
    ([, methods]) => !methods.some((name) => name === method),
  );
  if (!unused) return;
  const [field, [first, another]] = unused;
  const now =
    typeof method !== "string"
      ? "authenticates with a secret"
      : method === "none"
        ? "is public"
        : `has ${method}`;
  const other = another ? `, or ${another} if it has a certificate` : "";
  throw new Failure(
    `${flagOf("clients", field)} would not be used, because the client ${now}. Add --auth-method ${first}${other}. The client then has no secret.`,
  );
}
