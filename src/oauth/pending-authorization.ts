import { z } from "zod";
import { type Allowance, allowanceFor } from "./allowance.ts";
import {
  type AuthorizationRequest,
  openAuthorizationRequest,
} from "./authorization-request.ts";
import type { Seconds } from "./duration.ts";
import type { Client } from "./entities.ts";
import { fieldError, type OAuthError } from "./errors.ts";
import { findClient } from "./find-client.ts";
import { isRegistered } from "./redirect-uri.ts";
import type { RequestLog } from "./request-log.ts";
import { MOST_SEALED_CHARACTERS } from "./sealed.ts";
import type { Server } from "./server.ts";

/** An authorization request on its way through the login, which has it sealed and brings it back. */

export const sealedRequest = z
  .string()
  .min(1)
  .max(MOST_SEALED_CHARACTERS)
  .meta({
    description:
      "The parameter `request` with which the browser came to LOGIN_URL, as it is.",
  });

export interface PendingAuthorization extends Allowance {
  request: AuthorizationRequest;
  /** When the request can no longer be decided. */
  expires_at: Seconds;
}

/**
 * Opens a request for the login, if its client may still ask for that.
 *
 * @throws OAuthError `authorization_request_…`, which names the field `request`
 */
export async function openForDecision(
  server: Server,
  sealed: string,
  now: Seconds,
  log: RequestLog,
): Promise<PendingAuthorization> {
  const opened = await openAuthorizationRequest(server, sealed, now);
  if (typeof opened === "string") throw notGood(opened);
  const { request, expires_at } = opened;
  const { client_id } = request;
  const client = await findClient(server, client_id, (client) =>
    stillMayAsk(client, request),
  );
  if (!client) throw notGood("outdated");
  log.fields.client_id = client_id;
  const allowance = await allowanceFor(server, client, request);
  return { request, ...allowance, expires_at };
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
