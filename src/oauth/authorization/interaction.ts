import * as v from "valibot";
import {
  type AuthorizationRequest,
  decryptAuthorizationRequest,
} from "./request.ts";
import type { Seconds } from "../duration.ts";
import type { Client } from "../entities.ts";
import { fieldError, type OAuthError } from "../errors.ts";
import { identityOf, isSameClient } from "../login-attributes.ts";
import {
  type Allowed,
  allowedFor,
  type ScopeAndResource,
  scopesFor,
} from "../scope-and-resource.ts";
import { isRegistered } from "../redirect-uri.ts";
import type { RequestLog } from "../request-log.ts";
import { registeredResources } from "../resource.ts";
import { maxCharacters } from "../schema.ts";
import { MAX_JWT_CHARACTERS } from "../encrypted-jwt.ts";
import { requiresPkce } from "./pkce.ts";
import type { Server } from "../server.ts";

/** The schema of the encrypted authorization request that the sign-in page sends back. */
export const encryptedRequest = v.pipe(
  v.string(),
  v.minLength(1),
  maxCharacters(MAX_JWT_CHARACTERS),
  v.description(
    "The value of the parameter `request` with which the browser came to LOGIN_URL, unchanged.",
  ),
);

/** An interaction: an authorization request that the sign-in page has not yet decided. */
export interface Interaction {
  request: AuthorizationRequest;
  client: Client;
  /** The scopes and resources that the client may have today. */
  allowed: Allowed;
  /** The requested scopes and resources that the client may have today. */
  left: ScopeAndResource;
  /** From this time on, the request cannot be decided. */
  expires_at: Seconds;
}

/**
 * Decrypts an authorization request for the sign-in page, and checks that its client may still ask for it.
 *
 * @throws OAuthError `authorization_request_malformed`, `…_forged`, `…_expired` or `…_outdated`, each for the
 *   field `request`; and why the metadata document of the client is not read (`metadata_document_...`)
 */
export async function readInteraction(
  server: Server,
  encrypted: string,
  now: Seconds,
  log: RequestLog,
): Promise<Interaction> {
  const decrypted = await decryptAuthorizationRequest(server, encrypted, now);
  if (typeof decrypted === "string") throw invalidRequest(decrypted);
  const { request, expires_at } = decrypted;
  const [client, catalogues] = await Promise.all([
    findAsker(server, request),
    server.catalogues.findAgain(),
  ]);
  if (!client) throw invalidRequest("outdated");
  const allowed = allowedFor(client, catalogues);
  const { scope, resource } = request.login;
  const available = scopesFor(allowed, resource);
  const left = {
    scope: scope.filter((name) => available.includes(name)),
    resource: registeredResources(resource, allowed.resource),
  };
  if (lostAll(scope, left.scope) || lostAll(resource, left.resource))
    throw invalidRequest("outdated");
  log.fields.client_id = client.client_id;
  return { request, client, allowed, left, expires_at };
}

/**
 * Finds the client of a request, if it may still ask for it. The isolate that the browser has reached may know a newer
 * metadata document than this one and the record, so a client that may not is looked up again by a fresh one.
 */
async function findAsker(
  { clients }: Pick<Server, "clients">,
  request: AuthorizationRequest,
): Promise<Client | undefined> {
  const { client_id } = request.login;
  const isWanted = (client: Client) => mayStillAsk(client, request);
  const known = await clients.findAgain(client_id);
  if (known && isWanted(known)) return known;
  // This server has made the request for a document that it had read, so a stranger causes no fetch here.
  const lookUp = { network: "", isWanted };
  const fresh = await clients.findForSignIn(client_id, lookUp);
  return fresh && isWanted(fresh) ? fresh : undefined;
}

const problems = {
  malformed: "was not made by this server",
  forged: "was not made by this server",
  expired: "has expired. The user must start again at the app",
  outdated: "is no longer allowed for its client",
} as const;

function invalidRequest(problem: keyof typeof problems): OAuthError {
  const reason = `authorization_request_${problem}` as const;
  return fieldError("request", problems[problem], reason);
}

/**
 * Tells whether the client is the same, still has the grant type and the redirect URI, and need not use PKCE if
 * the request has none.
 */
function mayStillAsk(
  client: Client,
  { login, redirect_uri, code_challenge }: AuthorizationRequest,
): boolean {
  const { grant_types, redirect_uris } = client;
  return (
    isSameClient(login, identityOf(client)) &&
    grant_types.includes("authorization_code") &&
    isRegistered(redirect_uri, redirect_uris) &&
    (code_challenge !== undefined || !requiresPkce(client))
  );
}

/** Tells whether values were requested and none of them is left. */
function lostAll(requested: readonly string[], left: readonly string[]) {
  return requested.length > 0 && left.length === 0;
}
