import { corsHeaders } from "./cors.ts";
import { isScope } from "./scopes.ts";

/** The parameters of a challenge (RFC 6750 section 3, RFC 9728 section 5.1). Empty ones are left out. */
export interface Challenge {
  error?: "invalid_token" | "insufficient_scope";
  error_description: string;
  /** The scopes with which a token would be good. A name that no scope can have is left out. */
  scopes: readonly string[];
  resource_metadata: string;
}

/** Refuses a request: 401, or 403 for a good token without a scope. Without `error`, the request had no token. */
export function refuse(challenge: Challenge): Response {
  const { error, error_description, scopes, resource_metadata } = challenge;
  // An application may name scopes that a client sent.
  const scope = scopes.filter(isScope).join(" ");
  // RFC 6750 section 3.1: no error code if the request had no token.
  const parameters = error
    ? { error, error_description, scope, resource_metadata }
    : { scope, resource_metadata };
  const quoted = Object.entries(parameters)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}=${quote(value)}`);
  const status = error === "insufficient_scope" ? 403 : 401;
  return Response.json(
    error ? { error, error_description } : { error_description },
    {
      status,
      headers: {
        ...corsHeaders,
        "Cache-Control": "no-store",
        "WWW-Authenticate": `Bearer ${quoted.join(", ")}`,
      },
    },
  );
}

/** Makes a quoted-string (RFC 9110 section 5.6.4). A character that it cannot have is dropped. */
function quote(value: string): string {
  const text = value.replaceAll(/[^\t\x20-\x7e]/g, "");
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** Answers that nobody can tell whether a token is good. It is not a challenge, or the client would sign in again. */
export function unavailable(error_description: string): Response {
  const body = { error: "temporarily_unavailable", error_description };
  const headers = {
    ...corsHeaders,
    "Cache-Control": "no-store",
    "Retry-After": "5",
  };
  return Response.json(body, { status: 503, headers });
}
