import { byQuestion } from "./ask.ts";
import { type Challenge, refuse, unavailable } from "./challenge.ts";
import { isPreflight, preflight, withCors } from "./cors.ts";
import { credentialsOf, presentationOf } from "./credentials.ts";
import { metadataAnswers, metadataUrl } from "./metadata.ts";
import type {
  Checked,
  Presentation,
  ResourceOptions,
  VerifiedToken,
} from "./options.ts";
import { checkPossession } from "./possession.ts";
import { isScope, scopeSet, union } from "./scopes.ts";
import { bySignature } from "./verify.ts";

/** The longest token that is looked at. One of Baton's has some 700 characters, and the login's claims. */
const MAX_TOKEN_CHARACTERS = 16 * 1024;

/** A JWS in compact form (RFC 7515 section 7.1). */
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The scopes that a request needs, with spaces between them, or a function that reads them from the request. */
export type ScopeOf = string | ((request: Request) => string | Promise<string>);

/** A fetch handler behind a token. It gets what the handler of the Worker gets, and the token after the request. */
export type ProtectedHandler<Rest extends unknown[]> = (
  request: Request,
  token: VerifiedToken,
  ...rest: Rest
) => Response | Promise<Response>;

/** The guard of an API. */
export interface ProtectedResource {
  /** The URL of the metadata document. */
  readonly metadata_url: string;
  /** Answers a request for the metadata document (RFC 9728). Undefined: the request is for another path. */
  metadata(request: Request): Response | undefined;
  /**
   * Checks a token without a request and without its scopes. It does not throw.
   *
   * @param presentation the way in which it is presented. Left out: as a bearer token, so that a token that is bound to a key
   * is not good
   */
  check(token: string, presentation?: Presentation): Promise<Checked>;
  /**
   * Checks the token of a request.
   *
   * @param scope scopes that are needed besides those of the options
   * @returns the token, or the answer to send: 401, 403 or 503
   */
  authorize(
    request: Request,
    scope?: string,
  ): Promise<VerifiedToken | Response>;
  /**
   * Checks the scopes of a good token.
   *
   * @returns undefined, or the answer to send: 403 with the scopes that the token has and those that are missing, so that
   * the client gets a token with all of them (step-up)
   */
  requireScope(token: VerifiedToken, scope: string): Response | undefined;
  /**
   * Puts a fetch handler behind a token. The result answers requests for the metadata document as well.
   *
   * @param scope scopes that the request needs besides those of the options. A function is called for good tokens only. It
   * reads a copy of the request.
   */
  protect<Rest extends unknown[]>(
    handler: ProtectedHandler<Rest>,
    scope?: ScopeOf,
  ): (request: Request, ...rest: Rest) => Promise<Response>;
}

/**
 * Makes the guard of an API that takes Baton's access tokens. Make it once per Worker, because it keeps Baton's keys.
 *
 * @throws TypeError if `resource` or `issuer` is not an https or http URL, or has a fragment
 */
export function protectedResource(options: ResourceOptions): ProtectedResource {
  assertUrl("resource", options.resource);
  assertUrl("issuer", options.issuer);
  const base = scopeSet(options.scope);
  const resource_metadata = metadataUrl(options.resource).href;
  const needs_dpop = options.dpop_bound_access_tokens_required ?? false;
  const metadata = metadataAnswers(options);
  const checkToken = options.tokens
    ? byQuestion(options.tokens, options)
    : bySignature(options);

  async function check(
    token: string,
    presentation: Presentation = {},
  ): Promise<Checked> {
    if (token.length > MAX_TOKEN_CHARACTERS || !compactJws.test(token))
      return {
        invalid:
          "The token is malformed. Send one access token in the header Authorization, as it was issued.",
      };
    const checked = await checkToken(token);
    return "verified" in checked
      ? checkPossession(checked.verified, presentation, options)
      : checked;
  }

  function challenge(
    scopes: readonly string[],
    parts: Omit<Challenge, "scopes" | "resource_metadata" | "needs_dpop">,
  ): Response {
    return refuse({ ...parts, scopes, resource_metadata, needs_dpop });
  }

  /** A request may pass several times, because middleware may stand before single routes as well. */
  const authorized = new WeakMap<Request, VerifiedToken>();

  async function authorize(
    request: Request,
    scope = "",
  ): Promise<VerifiedToken | Response> {
    const needed = union(base, scopeSet(scope));
    const known = authorized.get(request);
    if (known) return requireScope(known, needed.join(" ")) ?? known;
    const credentials = credentialsOf(request);
    if (!credentials)
      return challenge(needed, {
        error_description:
          "This resource needs an access token in the header Authorization.",
      });
    const { scheme, token } = credentials;
    const presentation = presentationOf(request, scheme, options);
    const checked = await check(token, presentation);
    if ("unavailable" in checked) return unavailable(checked.unavailable);
    if ("invalid" in checked)
      return challenge(needed, {
        scheme,
        error: checked.error ?? "invalid_token",
        error_description: checked.invalid,
      });
    const { verified } = checked;
    authorized.set(request, verified);
    return requireScope(verified, needed.join(" ")) ?? verified;
  }

  function requireScope(
    { scopes, claims }: VerifiedToken,
    scope: string,
  ): Response | undefined {
    const needed = scopeSet(scope);
    if (needed.every((name) => scopes.includes(name))) return undefined;
    const names = needed.filter(isScope).join(" ");
    const { jkt } = (claims["cnf"] ?? {}) as { jkt?: string };
    return challenge(union(scopes, needed), {
      scheme: jkt === undefined ? "Bearer" : "DPoP",
      error: "insufficient_scope",
      error_description: names
        ? `This request needs the scope ${names}.`
        : "This request needs a scope that no token has.",
    });
  }

  function protect<Rest extends unknown[]>(
    handler: ProtectedHandler<Rest>,
    scope: ScopeOf = "",
  ) {
    return async (request: Request, ...rest: Rest): Promise<Response> => {
      const answer = metadata(request);
      if (answer) return answer;
      if (options.cors && isPreflight(request)) return preflight(request);
      const fixed = typeof scope === "string" ? scope : "";
      const token = await authorize(request, fixed);
      if (token instanceof Response) return token;
      if (typeof scope === "function") {
        // A copy, because the handler reads the body too.
        const refusal = requireScope(token, await scope(request.clone()));
        if (refusal) return refusal;
      }
      const response = await handler(request, token, ...rest);
      return options.cors ? withCors(response) : response;
    };
  }

  return {
    metadata_url: resource_metadata,
    metadata,
    check,
    authorize,
    requireScope,
    protect,
  };
}

function assertUrl(name: string, value: string): void {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (!isWeb || url.hash !== "" || value.includes("#"))
    throw new TypeError(
      `${name} must be an https URL without a fragment: ${value}`,
    );
}
