import { proofAlgorithms } from "../dpop/algorithms.ts";
import { corsHeaders } from "./cors.ts";
import type { Credentials } from "./credentials.ts";
import { isScope } from "./scopes.ts";

/** A refusal, and the parameters of its challenges (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1). */
export interface Challenge {
  /** The scheme of the request. Left out: it had no token. */
  scheme?: Credentials["scheme"];
  error?: "invalid_token" | "insufficient_scope" | "invalid_dpop_proof";
  error_description: string;
  /** The scopes with which a token would be good. A name that no scope can have is left out. */
  scopes: readonly string[];
  resource_metadata: string;
  /** Only tokens that are bound to a key are good, so that there is no challenge for bearer tokens. */
  needs_dpop: boolean;
}

/** Refuses a request: 401, or 403 for a good token without a scope. Without `error`, the request had no token. */
export function refuse(challenge: Challenge): Response {
  const { error, error_description } = challenge;
  const status = error === "insufficient_scope" ? 403 : 401;
  return Response.json(
    error ? { error, error_description } : { error_description },
    {
      status,
      headers: {
        ...corsHeaders,
        "Cache-Control": "no-store",
        "WWW-Authenticate": challengesOf(challenge),
      },
    },
  );
}

/**
 * Makes the challenges of both schemes. Bearer is the first, because clients that know no other scheme look at the first. The
 * error is in the challenge of the scheme that the request had.
 */
function challengesOf({
  scheme = "Bearer",
  error,
  error_description,
  scopes,
  resource_metadata,
  needs_dpop,
}: Challenge): string {
  const isOfDpop = needs_dpop || scheme === "DPoP";
  // RFC 6750 section 3.1: no error code if the request had no token.
  const problem = error ? { error, error_description } : {};
  // An application may name scopes that a client sent.
  const rest = { scope: scopes.filter(isScope).join(" "), resource_metadata };
  const bearer = parameters({ ...(!isOfDpop && problem), ...rest });
  const algs = proofAlgorithms.join(" ");
  const dpop = parameters({ ...(isOfDpop && problem), algs, ...rest });
  return `${needs_dpop ? "" : `Bearer ${bearer}, `}DPoP ${dpop}`;
}

/** Writes parameters. Empty ones are left out. */
function parameters(values: Record<string, string>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join(", ");
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
