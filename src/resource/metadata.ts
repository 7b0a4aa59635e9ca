import { proofAlgorithms } from "../dpop/algorithms.ts";
import { corsHeaders, isPreflight, preflight } from "./cors.ts";
import type { ResourceOptions } from "./options.ts";
import { scopeSet } from "./scopes.ts";
import { wellKnown } from "./uri.ts";

/** The URL of the metadata document (RFC 9728 section 3.1). */
export function metadataUrl(resource: string): URL {
  return wellKnown(resource, "oauth-protected-resource");
}

/** Makes the answers at the URL of the metadata document. Undefined: the request is for another path. */
export function metadataAnswers(options: ResourceOptions) {
  const { pathname, search } = metadataUrl(options.resource);
  const document = JSON.stringify(metadataOf(options));
  return (request: Request): Response | undefined => {
    const asked = new URL(request.url);
    if (asked.pathname !== pathname || (search && asked.search !== search))
      return undefined;
    if (isPreflight(request)) return preflight(request);
    const { method } = request;
    if (method !== "GET" && method !== "HEAD")
      return new Response(null, {
        status: 405,
        headers: { Allow: "GET, HEAD" },
      });
    return new Response(method === "HEAD" ? null : document, {
      headers: {
        ...corsHeaders,
        "Content-Type": "application/json",
        "Cache-Control": "public, max-age=300",
      },
    });
  };
}

/** Makes the members of RFC 9728 section 2. Those without a value are left out. */
function metadataOf({
  resource,
  issuer,
  scope,
  scopes_supported = scopeSet(scope),
  resource_name,
  metadata,
  dpop_bound_access_tokens_required,
  certificate_of,
}: ResourceOptions) {
  return {
    ...metadata,
    resource,
    authorization_servers: [issuer],
    // RFC 9728 section 3.2: a member with an empty list must be left out.
    scopes_supported:
      scopes_supported.length > 0 ? scopes_supported : undefined,
    bearer_methods_supported: ["header"],
    resource_name,
    dpop_signing_alg_values_supported: proofAlgorithms,
    // RFC 9728 section 2: left out means false.
    dpop_bound_access_tokens_required:
      dpop_bound_access_tokens_required || undefined,
    tls_client_certificate_bound_access_tokens:
      certificate_of !== undefined || undefined,
  };
}
