import { certificateMethods } from "../authentication-methods.ts";
import { keyFieldsProblem } from "../client-keys-rule.ts";
import type { Client } from "../entities.ts";
import { fieldError } from "../errors.ts";
import { outgoingUriProblem } from "../outgoing-uri.ts";
import type { Settings } from "../settings.ts";

/**
 * Checks the fields by which a client proves a key.
 *
 * @param previous the record before the change. An address and a `single_use_client_assertions` that it has are not checked
 *   again, so that other fields can be changed
 * @returns warnings
 * @throws OAuthError `admin_body_invalid`
 */
export function checkKeyFields(
  client: Client,
  {
    issuer,
    client_certificates,
  }: Pick<Settings, "issuer" | "client_certificates">,
  previous?: Client,
): string[] {
  const wrong = keyFieldsProblem(client);
  if (wrong) throw fieldError(wrong.field, wrong.problem);
  const {
    token_endpoint_auth_method: method,
    single_use_client_assertions: isEachOnce = false,
  } = client;
  // Later the method may change, also by a document, and the field has no effect until it changes back.
  const wasEachOnce = previous?.single_use_client_assertions ?? false;
  if (isEachOnce && !wasEachOnce && method !== "private_key_jwt")
    throw fieldError(
      "single_use_client_assertions",
      "must not be true for a client that sends no assertions. Set token_endpoint_auth_method to private_key_jwt, or remove this field",
    );
  const { jwks_uri } = client;
  const uriProblem =
    jwks_uri === undefined || jwks_uri === previous?.jwks_uri
      ? undefined
      : outgoingUriProblem(jwks_uri, issuer);
  if (uriProblem !== undefined) throw fieldError("jwks_uri", uriProblem);
  const isNew = !previous || !needsCertificates(previous);
  return isNew && needsCertificates(client) && !client_certificates
    ? [
        "The client needs a client certificate, and CLIENT_CERTIFICATES is not on, so that the server reads none. Until it is on, the client gets no token.",
      ]
    : [];
}

function needsCertificates({
  token_endpoint_auth_method: method,
  tls_client_certificate_bound_access_tokens: isBound = false,
}: Client): boolean {
  return (
    isBound || (method !== undefined && certificateMethods.includes(method))
  );
}
