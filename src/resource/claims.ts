import type { Checked, ResourceOptions } from "./options.ts";
import { scopeSet } from "./scopes.ts";
import { comparable } from "./uri.ts";

/** The options that both ways of checking a token need. */
export type Expected = Pick<
  ResourceOptions,
  "resource" | "audience" | "allow_clients"
>;

/**
 * Checks the claims of a token (RFC 9068 section 4) whose issuer and expiry are good. The keys that it is bound to (`cnf`)
 * are checked by `possession.ts`.
 */
export function checkClaims(
  token: string,
  claims: Readonly<Record<string, unknown>>,
  { resource, audience = resource, allow_clients = false }: Expected,
): Checked {
  const { sub, client_id, exp, aud, scope = "", sub_type } = claims;
  if (
    typeof sub !== "string" ||
    typeof client_id !== "string" ||
    typeof exp !== "number" ||
    typeof scope !== "string"
  )
    return {
      invalid:
        "The token is not an access token of the issuer that the metadata names. Get one there.",
    };
  // RFC 9068 section 4: a token for another API must not be accepted.
  const audiences = [aud].flat().filter((one) => typeof one === "string");
  const wanted = comparable(audience);
  if (!audiences.some((one) => comparable(one) === wanted))
    return {
      invalid:
        "The token is for another resource. Get one for that which the metadata names.",
    };
  if (sub_type === "client" && !allow_clients)
    return {
      invalid:
        "The token is of a client itself. This resource needs one of a user.",
    };
  const scopes = scopeSet(scope);
  return { verified: { token, sub, client_id, scopes, exp, claims } };
}
