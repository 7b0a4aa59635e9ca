import { z } from "zod";
import { OPENID, standardScopes } from "../../oauth/openid/scopes.ts";
import { subjectAdvice } from "./certificate-subject.ts";
import { quoteArgument } from "../shell.ts";

const refusal = z.looseObject({ fields: z.record(z.string(), z.string()) });

/** The fields of the admin API whose option has another name, by the first segment of the path below `/admin`. */
const flags: Record<string, Record<string, string>> = {
  clients: {
    client_id: "--id",
    client_name: "--name",
    token_endpoint_auth_method: "--auth-method",
    grant_types: "--grant-type",
    redirect_uris: "--redirect-uri",
    post_logout_redirect_uris: "--post-logout-redirect-uri",
    resources: "--resource",
    refresh_token_catch_up: "--catch-up",
    single_use_client_assertions: "--single-use-assertions",
    dpop_bound_access_tokens: "--dpop-bound",
    tls_client_certificate_bound_access_tokens: "--certificate-bound",
    tls_client_auth_subject_dn: "--certificate-subject",
    tls_client_auth_san_dns: "--certificate-dns",
    tls_client_auth_san_uri: "--certificate-uri",
    tls_client_auth_san_ip: "--certificate-ip",
    tls_client_auth_san_email: "--certificate-email",
  },
  grants: {
    client_id: "--client",
    dpop_jkt: "--dpop-jkt",
    "x5t#S256": "--certificate-thumbprint",
  },
  subjects: { client_id: "--client", subject: "subject" },
  // The name of a scope is an argument.
  scopes: { scope: "scope" },
  tokens: { role: "--role", expires_in: "--expires-in" },
  // The URI of a resource is an argument.
  resources: { resource: "uri", name: "--name", audience: "--audience" },
};

/** The fields whose option has their own name. */
const sameNames = new Set([
  "scope",
  "subject",
  "resource",
  "backchannel_logout_uri",
  "backchannel_logout_session_required",
  "resource_server",
  "require_pkce",
  "refresh_without_offline_access",
  "self_registered_clients",
  "access_token_ttl",
  "refresh_token_ttl",
  "refresh_token_max_age",
  "refresh_token_retry_window",
  "jwks",
  "jwks_uri",
  "access_token_format",
  "old_secret_ttl",
  "claims",
  "id_token_claims",
  "userinfo",
  "auth_time",
  "acr",
  "amr",
  "sid",
]);

/** Returns the option that sets a field. A field that no option sets keeps its name. */
export function flagOf(resource: string, field: string): string {
  const { [field]: flag } = flags[resource] ?? {};
  return (
    flag ?? (sameNames.has(field) ? `--${field.replaceAll("_", "-")}` : field)
  );
}

/**
 * Writes the problems of a refusal's fields with the options of the command line: `refresh_token_ttl: must be …`
 * becomes `--refresh-token-ttl: must be …`. A field that no option sets keeps its name.
 *
 * @param body the refusal of the admin API
 * @param path the path segments below `/admin`
 * @returns undefined if the refusal names no field
 */
export function problemsByFlag(
  body: unknown,
  [resource = "", ...rest]: readonly string[],
): string | undefined {
  const { data } = refusal.safeParse(body);
  if (!data) return undefined;
  const nameOf = (field: string) =>
    // Behind the collection the client is an argument.
    field === "client_id" && resource === "clients" && rest.length > 0
      ? field
      : flagOf(resource, field);
  return Object.entries(data.fields)
    .map(([path, problem]) => {
      const [field = "", index] = path.split(".");
      const flag = nameOf(field);
      // A repeated option makes an array, and people count from 1.
      const which =
        index !== undefined && /^\d+$/.test(index) && flag !== field
          ? ` number ${Number(index) + 1}`
          : path.slice(field.length);
      return `${flag}${which}: ${problem}${adviceFor(problem)}`;
    })
    .join("; ");
}

/** The server's words for a scope that it does not have. */
const unknownScope = /^(\S+) is not in the scope catalogue$/;

/** Returns what to do, such as the command that adds the scope that is missing. Empty: the problem says it. */
function adviceFor(problem: string): string {
  if (problem.startsWith("must be a distinguished name"))
    return `. ${subjectAdvice}`;
  const [, name] = unknownScope.exec(problem) ?? [];
  if (name === undefined) return "";
  const isStandard = name === OPENID || Object.hasOwn(standardScopes, name);
  // A standard scope has a description of its own.
  return `. Add it: npm run baton -- scopes put ${quoteArgument(name)}${isStandard ? "" : ' "What it allows"'}`;
}
