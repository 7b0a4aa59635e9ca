import { z } from "zod";
import {
  type AuthorizationRequest,
  decryptAuthorizationRequest,
} from "./request.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { fieldError, type OAuthError } from "../errors.ts";
import { identityOf, isSameClient } from "../login-attributes.ts";
import { allowedFor, type ScopeAndResource } from "../scope-and-resource.ts";
import { isRegistered } from "../redirect-uri.ts";
import type { RequestLog } from "../request-log.ts";
import { MAX_JWT_CHARACTERS } from "./encrypted-jwt.ts";
import type { Server } from "../server.ts";

/** An authorization request on its way through the login, which has it sealed and brings it back. */

export const encryptedRequest = z.string().min(1).max(MAX_JWT_CHARACTERS).meta({
  description:
    "The parameter `request` with which the browser came to LOGIN_URL, as it is.",
});

export interface Interaction {
  request: AuthorizationRequest;
  client: Client;
  /** What the client may have today. */
  allowed: ScopeAndResource;
  /** When the request can no longer be decided. */
  expires_at: Seconds;
}

/**
 * Opens a request for the login, if its client may still ask for that.
 *
 * @throws OAuthError `authorization_request_…`, which names the field `request`
 */
export async function readInteraction(
  server: Server,
  encrypted: string,
  now: Seconds,
  log: RequestLog,
): Promise<Interaction> {
  const decrypted = await decryptAuthorizationRequest(server, encrypted, now);
  if (typeof decrypted === "string") throw notGood(decrypted);
  const { request, expires_at } = decrypted;
  const { clients, scopes } = server;
  const client = await clients.findAgain(request.login.client_id);
  if (!client || !mayStillAsk(client, request)) throw notGood("outdated");
  const allowed = allowedFor(client, await scopes.catalogueAgain());
  if (lostAll(request.login.scope, allowed.scope)) throw notGood("outdated");
  if (lostAll(request.login.resource, allowed.resource))
    throw notGood("outdated");
  log.fields.client_id = client.client_id;
  return { request, client, allowed, expires_at };
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

/** Whether it is the same client, and its answer may still go there. */
function mayStillAsk(
  client: Client,
  { login, redirect_uri }: AuthorizationRequest,
): boolean {
  const { grant_types, redirect_uris } = client;
  return (
    isSameClient(login, identityOf(client)) &&
    grant_types.includes("authorization_code") &&
    isRegistered(redirect_uri, redirect_uris)
  );
}

/** Whether something was asked for, and nothing of it is allowed any more. */
function lostAll(asked: readonly string[], allowed: readonly string[]) {
  return asked.length > 0 && !asked.some((one) => allowed.includes(one));
}
