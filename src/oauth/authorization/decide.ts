import * as base64url from "jose/base64url";
import * as v from "valibot";
import { issueCode } from "./code.ts";
import { consent, refuseWithoutConsent } from "./consent.ts";
import { grantedScopes } from "./granted-scopes.ts";
import { CODE_SECONDS, REQUEST_SECONDS } from "../jwt-lifetimes.ts";
import { authorizationResponse, MAX_URL_CHARACTERS } from "./response.ts";
import { unmetDemand } from "./sign-in-demands.ts";
import { fieldError, throwIfRefused } from "../errors.ts";
import {
  largestLoginClaim,
  loginClaimNames,
  type LoginClaims,
  loginClaimsOf,
} from "../login-claims.ts";
import {
  boundLoginClaims,
  loginClaims,
  refuseFutureSignIn,
} from "../openid/login-claims-schema.ts";
import { finalizeScopeAndResource } from "../scope-and-resource.ts";
import { readInteraction, encryptedRequest } from "./interaction.ts";
import type { RequestLog } from "../request-log.ts";
import { maxCharacters, pathTo, strictObject } from "../schema.ts";
import { requestedScopeInJson } from "../scope.ts";
import type { Server } from "../server.ts";
import { subject } from "../subject.ts";

/**
 * The errors that the sign-in page may report (RFC 6749 section 4.1.2.1), and those for a request whose
 * `prompt` forbids a page (OpenID Connect Core section 3.1.2.6).
 */
const decisionErrors = [
  "access_denied",
  "login_required",
  "interaction_required",
  "consent_required",
  "account_selection_required",
  "temporarily_unavailable",
  "server_error",
] as const;

/** The schema of a decision: either the user who signed in, with the scopes that they allow, or an error. */
export const decision = v.pipe(
  strictObject({
    request: encryptedRequest,
    subject: v.optional(subject),
    scope: v.optional(
      v.pipe(
        v.string(),
        maxCharacters(8192),
        v.metadata({
          description:
            "The scopes that the user allows, out of the requested ones and the granted_scopes of the description. Left out: all requested ones.",
          example: "read",
        }),
      ),
    ),
    consent,
    ...loginClaims,
    error: v.optional(
      v.pipe(
        v.picklist(decisionErrors),
        v.description(
          "The error, instead of a subject. access_denied: the user denied the request.",
        ),
      ),
    ),
  }),
  boundLoginClaims(),
  v.metadata({ oneOf: [{ required: ["subject"] }, { required: ["error"] }] }),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const { request, subject, scope, consent, error } = dataset.value;
    const claims = loginClaimsOf(dataset.value);
    const problem = (field: string, message: string) => {
      addIssue({ message, path: pathTo(field) });
      return NEVER;
    };
    if (error !== undefined) {
      const sent = { subject, scope, consent, ...claims };
      const others = ["subject", "scope", "consent", ...loginClaimNames];
      for (const name of others as (keyof typeof sent)[])
        if (sent[name] !== undefined)
          return problem("error", `must not be sent together with ${name}`);
      return { request, error };
    }
    if (subject === undefined) {
      const message = "is missing. Send the user who signed in, or an error";
      return problem("subject", message);
    }
    return {
      request,
      subject,
      ...(scope !== undefined && { scope }),
      ...(consent && { consent }),
      ...claims,
    };
  }),
);

export type Decision = v.InferOutput<typeof decision>;

/**
 * Carries out the decision of the sign-in page. Nothing is stored.
 *
 * @param nowMs milliseconds since 1970, so that a logout can be told from a login later in the same second
 * @returns the URL to which the browser must be redirected, with a code (RFC 6749 section 4.1.2) or an error
 *   (section 4.1.2.1), the client's `state`, and `iss` (RFC 9207)
 * @throws OAuthError as `readInteraction`; `authorization_consent_missing`; `scope_malformed`; `scope_not_granted` for a
 *   scope that was neither requested nor granted before; `admin_body_invalid` for a sign-in in the future, for claims that
 *   make the URL too long, or for an `auth_time` that the client's demands rule out (`sign-in-demands.ts`)
 */
export async function decideAuthorization(
  server: Server,
  decided: Decision,
  nowMs: number,
  log: RequestLog,
): Promise<{ redirect_to: string }> {
  const now = Math.floor(nowMs / 1000);
  const interaction = await readInteraction(server, decided.request, now, log);
  const { request, client, allowed, expires_at } = interaction;
  const respondWithError = (error: string, error_description: string) => {
    const response = { error, error_description };
    log.fields.decision = error;
    return { redirect_to: authorizationResponse(server, request, response) };
  };
  if ("error" in decided) {
    const { error } = decided;
    return respondWithError(error, descriptions[error]);
  }

  refuseWithoutConsent(client, decided);
  const { subject } = decided;
  const claims = loginClaimsOf(decided);
  refuseFutureSignIn(claims, now);
  const unmet = unmetDemand(request, expires_at - REQUEST_SECONDS, decided);
  if (unmet) return respondWithError(unmet.error, unmet.error_description);
  const named = requestedScopeInJson(decided.scope);
  const { scope: asked, resource } = request.login;
  const isMore =
    Array.isArray(named) && named.some((one) => !asked.includes(one));
  const before = isMore
    ? await grantedScopes(server, interaction, subject, now)
    : [];
  const granted = throwIfRefused(
    finalizeScopeAndResource(
      { scope: named, resource: [] },
      { scope: [...asked, ...before], resource },
      allowed,
    ),
  );
  // A token response cannot express an empty scope (RFC 6749 sections 3.3 and 5.1).
  const isAllowed = granted.scope.some((one) => asked.includes(one));
  if (!isAllowed && asked.length > 0) {
    return respondWithError(
      "access_denied",
      "The resource owner allowed none of the requested scopes.",
    );
  }

  const { family_id, code_challenge, nonce, redirect_uri } = request;
  const code = await issueCode(
    server,
    {
      code_id: crypto.randomUUID(),
      login: { ...request.login, ...granted, subject, ...claims },
      family_id,
      ...(code_challenge !== undefined && { code_challenge }),
      ...(nonce !== undefined && { nonce }),
      redirect_uri,
      authorized_at_ms: nowMs,
      redeemable_until: expires_at + CODE_SECONDS,
    },
    now,
  );
  const redirect_to = authorizationResponse(server, request, { code });
  refuseTooLong(redirect_to, claims);
  log.fields.decision = "authorized";
  log.fields.grant_id = server.families.grantIdOf(base64url.decode(family_id));
  return { redirect_to };
}

/**
 * Refuses claims that make the URL to the client too long. Without claims it is short enough, because `/authorize` has
 * measured it for the longest subject.
 */
function refuseTooLong(redirectTo: string, claims: LoginClaims): void {
  const over = redirectTo.length - MAX_URL_CHARACTERS;
  if (over <= 0 || Object.keys(claims).length === 0) return;
  // The code is in base64url, where three bytes are four characters.
  const bytes = Math.ceil((over * 3) / 4);
  throw fieldError(
    largestLoginClaim(claims),
    `the login's fields have ${bytes} byte${bytes === 1 ? "" : "s"} too many for this client: with the code, the URL back to it would have more than ${MAX_URL_CHARACTERS} characters. Send fewer claims, or change them when the login has begun (PATCH /admin/grants/{grant_id})`,
  );
}

/** The error descriptions, for the client's developer. */
const descriptions: Record<(typeof decisionErrors)[number], string> = {
  access_denied: "The resource owner denied the request.",
  login_required: "The user must sign in.",
  interaction_required: "The user must answer a question on the sign-in page.",
  consent_required: "The user must give consent on the sign-in page.",
  account_selection_required:
    "The user must choose an account on the sign-in page.",
  temporarily_unavailable:
    "The sign-in page is temporarily unavailable. Try again later.",
  server_error: "An internal error occurred on the sign-in page.",
};
