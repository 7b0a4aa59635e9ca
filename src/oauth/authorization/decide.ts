import { z } from "zod";
import { CODE_SECONDS, issueCode } from "./code.ts";
import { authorizationResponse } from "./response.ts";
import { throwIfRefused, fieldError } from "../errors.ts";
import { finalizeScopeAndResource } from "../scope-and-resource.ts";
import { readInteraction, encryptedRequest } from "./interaction.ts";
import type { RequestLog } from "../request-log.ts";
import { requestedScopeInJson } from "../scope.ts";
import type { Server } from "../server.ts";
import { subject } from "../subject.ts";

/**
 * What a login may say instead of who has signed in: RFC 6749 section 4.1.2.1, and for a `prompt` that
 * forbids to ask, OpenID Connect Core section 3.1.2.6.
 */
const decisionError = z.enum([
  "access_denied",
  "login_required",
  "interaction_required",
  "consent_required",
  "temporarily_unavailable",
  "server_error",
]);

/** Either who has signed in, and which scopes they allow, or an error. */
export const decision = z
  .strictObject({
    request: encryptedRequest,
    subject: subject.optional(),
    scope: z.string().max(8192).optional().meta({
      description:
        "What the person allows, of what was asked for. Left out: all of it.",
      example: "read",
    }),
    error: decisionError.optional().meta({
      description:
        "Instead of a subject: access_denied if the person has said no.",
    }),
  })
  .meta({ oneOf: [{ required: ["subject"] }, { required: ["error"] }] })
  .transform(({ request, subject, scope, error }, context) => {
    const problem = (field: string, message: string) => {
      context.addIssue({ code: "custom", path: [field], message });
      return z.NEVER;
    };
    if (error !== undefined) {
      if (subject !== undefined)
        return problem("error", "cannot be there together with subject");
      if (scope !== undefined)
        return problem("error", "cannot be there together with scope");
      return { request, error };
    }
    if (subject === undefined) {
      const message = "is missing: who has signed in, unless there is an error";
      return problem("subject", message);
    }
    return { request, subject, ...(scope !== undefined && { scope }) };
  });

export type Decision = z.output<typeof decision>;

/**
 * What the person has decided, as a URL to send the browser to: with a code (RFC 6749 section 4.1.2)
 * or an error (section 4.1.2.1), the client's `state` and `iss` (RFC 9207). Nothing is stored.
 *
 * @param nowMs milliseconds since 1970: a logout of the same second is to be told from a login after it
 * @throws OAuthError as `describeAuthorization`; `scope_not_granted` for more than was asked for
 */
export async function decideAuthorization(
  server: Server,
  decided: Decision,
  nowMs: number,
  log: RequestLog,
): Promise<{ redirect_to: string }> {
  const now = Math.floor(nowMs / 1000);
  const interaction = await readInteraction(server, decided.request, now, log);
  const { request, allowed, expires_at } = interaction;
  const leaveWith = (answer: { error: string; error_description: string }) => {
    log.fields.decision = answer.error;
    return { redirect_to: authorizationResponse(server, request, answer) };
  };
  if ("error" in decided) {
    const { error } = decided;
    return leaveWith({ error, error_description: sentences[error] });
  }

  const { subject } = decided;
  // RFC 9700 section 4.15: nobody's tokens may look like those of the client itself.
  if (subject === request.login.client_id)
    throw fieldError("subject", "cannot be the id of the client");
  const requested = {
    scope: requestedScopeInJson(decided.scope),
    resource: [],
  };
  const granted = throwIfRefused(
    finalizeScopeAndResource(requested, request.login, allowed),
  );
  // There is no word for "none of it" in a token response (RFC 6749 sections 3.3 and 5.1).
  if (granted.scope.length === 0 && request.login.scope.length > 0) {
    const error_description = "The user has allowed none of the scopes.";
    return leaveWith({ error: "access_denied", error_description });
  }

  const { family_id, code_challenge } = request;
  const { redirect_uri, redirect_uri_named } = request;
  const code = await issueCode(
    server,
    {
      code_id: crypto.randomUUID(),
      login: { ...request.login, ...granted, subject },
      family_id,
      code_challenge,
      redirect_uri,
      redirect_uri_named,
      authorized_at_ms: nowMs,
      redeemable_until: expires_at + CODE_SECONDS,
    },
    now,
  );
  log.fields.decision = "authorized";
  return { redirect_to: authorizationResponse(server, request, { code }) };
}

/** For the client's developer. */
const sentences: Record<z.output<typeof decisionError>, string> = {
  access_denied: "The user has said no.",
  login_required: "The user has to sign in.",
  interaction_required: "The user has to be asked something.",
  consent_required: "The user has to be asked for consent.",
  temporarily_unavailable: "The login cannot do this right now. Try again.",
  server_error: "Something went wrong at the login.",
};
