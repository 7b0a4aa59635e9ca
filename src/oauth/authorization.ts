import { z } from "zod";
import { CODE_SECONDS, sealCode } from "./authorization-code.ts";
import {
  type AuthorizationRequest,
  openAuthorizationRequest,
} from "./authorization-request.ts";
import type { Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";
import { fieldError, OAuthError } from "./errors.ts";
import { isRegistered, withParameters } from "./redirect-uri.ts";
import { finalizeResources } from "./resource.ts";
import { allowedScopes, finalizeScopes, requestedGrantScope } from "./scope.ts";
import { MOST_SEALED_CHARACTERS } from "./sealed.ts";
import type { Server } from "./server.ts";
import { subject } from "./subject.ts";

/**
 * The half of the authorization endpoint that belongs to the login: what is asked for, in words for
 * the person, and what the person has decided.
 */

export const sealedRequest = z
  .string()
  .min(1)
  .max(MOST_SEALED_CHARACTERS)
  .meta({
    description:
      "The parameter `request` with which the browser came to LOGIN_URL, as it is.",
  });

/** What a login may say instead of who has signed in (RFC 6749 section 4.1.2.1). */
const decisionErrors = [
  "access_denied",
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

/** What a login shows to the person. */
export interface AuthorizationDescription {
  client_id: string;
  client_name?: string;
  /** Where the browser goes afterwards. */
  redirect_uri: string;
  /** What the client asks for, in the words of the scope catalogue. */
  scopes: { scope: string; description: string }[];
  resource: string[];
  prompt?: string;
  login_hint?: string;
  ui_locales?: string;
  /** When the request can no longer be decided. */
  expires_at: Seconds;
}

/**
 * What a client asks for.
 *
 * @throws OAuthError `admin_body_invalid` if the request is none of ours, has expired, or is not what
 *   its client may ask for any more
 */
export async function describeAuthorization(
  server: Server,
  sealed: string,
  now: Seconds,
): Promise<AuthorizationDescription> {
  const { request, client, expires_at } = await openForDecision(
    server,
    sealed,
    now,
  );
  const catalogue = await server.scopes.catalogue();
  const allowed = allowedScopes(client, catalogue);
  const { client_id, redirect_uri, scope, resource } = request;
  const { prompt, login_hint, ui_locales } = request;
  return {
    client_id,
    ...(client.client_name !== undefined && {
      client_name: client.client_name,
    }),
    redirect_uri,
    scopes: scope
      .filter((name) => allowed.includes(name))
      .map((name) => ({
        scope: name,
        description: catalogue[name]!.description,
      })),
    resource,
    ...(prompt !== undefined && { prompt }),
    ...(login_hint !== undefined && { login_hint }),
    ...(ui_locales !== undefined && { ui_locales }),
    expires_at,
  };
}

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
): Promise<{ redirect_to: string; client_id: string }> {
  const now = Math.floor(nowMs / 1000);
  const { request, client, expires_at } = await openForDecision(
    server,
    sealed,
    now,
  );
  const { client_id } = request;
  if (error !== undefined || subject === undefined) {
    const redirect_to = answerTo(server, request, { error });
    return { redirect_to, client_id };
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
      authorized_at: nowMs,
      redeemable_until: expires_at + CODE_SECONDS,
    },
    now,
  );
  return { redirect_to: answerTo(server, request, { code }), client_id };
}

/** The authorization response: what the client asked for, or why not, and who says so (RFC 9207). */
export function answerTo(
  { settings }: Pick<Server, "settings">,
  { redirect_uri, state }: Pick<AuthorizationRequest, "redirect_uri" | "state">,
  answer: Record<string, string | undefined>,
): string {
  return withParameters(redirect_uri, {
    ...answer,
    state,
    iss: settings.issuer,
  });
}

async function openForDecision(
  server: Server,
  sealed: string,
  now: Seconds,
): Promise<{
  request: AuthorizationRequest;
  client: Client;
  expires_at: Seconds;
}> {
  const opened = await openAuthorizationRequest(server, sealed, now);
  if (typeof opened === "string") throw notGood(opened);
  const { request, expires_at } = opened;
  const { client_id } = request;
  const { clients } = server;
  // The isolate that checked the request may have known a newer record than this one does.
  const client =
    stillMayAsk(await clients.find(client_id), request) ??
    stillMayAsk(await clients.findAgain(client_id), request);
  if (!client) throw notGood("outdated");
  return { request, client, expires_at };
}

const problems = {
  malformed: "is not one that this server has made",
  forged: "is not one that this server has made",
  expired: "has expired: the person has to start again at the app",
  outdated: "is not what its client may ask for any more",
} as const;

function notGood(what: keyof typeof problems): OAuthError {
  const reason = `authorization_request_${what}` as const;
  return fieldError("request", problems[what], reason);
}

/** The client of a request, if it is the same one and may still ask for that. */
function stillMayAsk(
  client: Client | undefined,
  { client_issued_at, redirect_uri }: AuthorizationRequest,
): Client | undefined {
  const stands =
    client?.client_id_issued_at === client_issued_at &&
    client.grant_types.includes("authorization_code") &&
    isRegistered(redirect_uri, client.redirect_uris);
  return stands ? client : undefined;
}
