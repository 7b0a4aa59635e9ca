import { z } from "zod";
import { CODE_SECONDS, sealCode } from "./authorization-code.ts";
import { answerTo } from "./authorization-response.ts";
import { OAuthError } from "./errors.ts";
import { openForDecision, sealedRequest } from "./pending-authorization.ts";
import type { RequestLog } from "./request-log.ts";
import { finalizeResources } from "./resource.ts";
import { allowedScopes, finalizeScopes, requestedGrantScope } from "./scope.ts";
import type { Server } from "./server.ts";
import { subject } from "./subject.ts";

/**
 * What a login may say instead of who has signed in: RFC 6749 section 4.1.2.1, and for a `prompt` that
 * forbids to ask, OpenID Connect Core section 3.1.2.6.
 */
const decisionErrors = [
  "access_denied",
  "login_required",
  "interaction_required",
  "consent_required",
  "temporarily_unavailable",
  "server_error",
] as const;

/** Either `subject` (and which scopes) or `error`. */
export const decision = z
  .strictObject({
    request: sealedRequest,
    subject: subject.optional(),
    scope: z.string().max(8192).optional().meta({
      description:
        "What the person allows, of what was asked for. Left out: all of it.",
      example: "read",
    }),
    error: z.enum(decisionErrors).optional().meta({
      description:
        "Instead of a subject: access_denied if the person has said no.",
    }),
  })
  .superRefine(({ subject, scope, error }, context) => {
    const problem = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (error === undefined && subject === undefined)
      problem(
        "subject",
        "is missing: who has signed in, unless there is an error",
      );
    if (error !== undefined && subject !== undefined)
      problem("error", "can not be there together with subject");
    if (error !== undefined && scope !== undefined)
      problem("error", "can not be there together with scope");
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
  { request: sealed, subject, scope, error }: Decision,
  nowMs: number,
  log: RequestLog,
): Promise<{ redirect_to: string }> {
  const now = Math.floor(nowMs / 1000);
  const { request, client, expires_at } = await openForDecision(
    server,
    sealed,
    now,
    log,
  );
  if (error !== undefined || subject === undefined) {
    if (error !== undefined) log.fields.decision = error;
    return { redirect_to: answerTo(server, request, { error }) };
  }

  const catalogue = await server.scopes.catalogue();
  const scopes = finalizeScopes(
    requestedGrantScope(scope),
    request.scope,
    allowedScopes(client, catalogue),
  );
  if ("refused" in scopes) throw new OAuthError(scopes.refused);
  const resources = finalizeResources([], request.resource, client.resources);
  if ("refused" in resources) throw new OAuthError(resources.refused);

  const {
    state: _state,
    prompt: _p,
    login_hint: _h,
    ui_locales: _l,
    ...bound
  } = request;
  const code = await sealCode(
    server,
    {
      ...bound,
      ...scopes,
      ...resources,
      code_id: crypto.randomUUID(),
      subject,
      authorized_at_ms: nowMs,
      redeemable_until: expires_at + CODE_SECONDS,
    },
    now,
  );
  log.fields.decision = "authorized";
  return { redirect_to: answerTo(server, request, { code }) };
}
