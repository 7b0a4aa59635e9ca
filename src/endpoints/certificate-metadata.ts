import type { Settings } from "../oauth/settings.ts";

/** The endpoints that a client with a certificate calls itself. A browser, which would ask its user, sees no alias. */
const aliased = [
  "token_endpoint",
  "revocation_endpoint",
  "introspection_endpoint",
  "userinfo_endpoint",
];

/**
 * Returns what the server metadata says about client certificates (RFC 8705 sections 3.3 and 5).
 *
 * @param metadata the other members of the metadata
 */
export function certificateMetadata(
  { issuer, client_certificates, mtls_endpoint_origin: origin }: Settings,
  metadata: Record<string, unknown>,
): Record<string, unknown> {
  if (!client_certificates) return {};
  const aliases = aliased.flatMap((name) => {
    const { [name]: url } = metadata;
    return typeof url === "string" && origin !== undefined
      ? [[name, origin + url.slice(issuer.length)]]
      : [];
  });
  return {
    tls_client_certificate_bound_access_tokens: true,
    ...(origin !== undefined && {
      mtls_endpoint_aliases: Object.fromEntries(aliases),
    }),
  };
}
