import type { Context } from "hono";
import { isBySecret } from "../oauth/authentication-methods.ts";
import { clientChanges } from "../oauth/clients/client-changes.ts";
import { deleteClient } from "../oauth/clients/deletion.ts";
import { makeSecret, matchesSecret } from "../oauth/clients/secret.ts";
import type { Client, ClientTombstone } from "../oauth/entities.ts";
import { fieldError, OAuthError } from "../oauth/errors.ts";
import { findClient } from "../oauth/find-client.ts";
import { mediaType } from "../oauth/parameters.ts";
import { withCatalogueRule } from "../oauth/self-registration/catalogue-rule.ts";
import {
  checkNamedClient,
  hashRegistrationToken,
  isOwnRegistration,
  isRegisteredId,
  isUnused,
  makeRegistrationToken,
  newRegistration,
  registrationJson,
  registrationTokenWrong,
  replacedRegistration,
} from "../oauth/self-registration/registration.ts";
import {
  readRegistration,
  readRegistrationBody,
} from "../oauth/self-registration/registration-request.ts";
import type { Server } from "../oauth/server.ts";
import type { DynamicRegistrationSettings } from "../oauth/settings.ts";
import {
  bearerToken,
  findAdministrator,
  requireRole,
} from "./administrator.ts";
import { type AppEnv, networkOf, now } from "./endpoint.ts";

/** Registers a client (RFC 7591 section 3). */
export async function register(c: Context<AppEnv>): Promise<Response> {
  const server = await c.var.server();
  const { settings } = server;
  // The endpoint exists only with these settings.
  const { access, per_day } =
    settings.dynamic_registration as DynamicRegistrationSettings;
  if (access === "token") await requireInitialAccessToken(c, server);
  const metadata = readRegistration(await bodyOf(c), settings.issuer);
  const catalogue = await server.resources.catalogue();
  const quota = await server.registrationQuota();
  await quota.take(networkOf(c), per_day);

  const time = now();
  const token = makeRegistrationToken();
  const made = isBySecret(metadata.token_endpoint_auth_method)
    ? await makeSecret(time)
    : undefined;
  const client = newRegistration(
    metadata,
    await hashRegistrationToken(token),
    made?.record,
    time,
  );
  const { client_id } = client;
  await server.clients.update(client_id, (current) => {
    if (current()) throw new OAuthError("client_id_taken");
    return client;
  });
  note(c, undefined, client);
  const allowed = withCatalogueRule(client, catalogue);
  return c.json(registrationJson(allowed, settings, token, made?.secret), 201);
}

/** Shows a client its registration (RFC 7592 section 2.1), without its secret, of which the server has only the hash. */
export async function readRegistrationOf(
  c: Context<AppEnv>,
): Promise<Response> {
  const server = await c.var.server();
  const { client, token } = await ownRegistration(c, server);
  return show(c, server, client, token);
}

/** Replaces a registration (RFC 7592 section 2.2). */
export async function replaceRegistration(
  c: Context<AppEnv>,
): Promise<Response> {
  const server = await c.var.server();
  const { client, token, tokenHash } = await ownRegistration(c, server);
  const { client_id } = client;
  const body = await bodyOf(c);
  checkNamedClient(body, client_id);
  const metadata = readRegistration(body, server.settings.issuer);
  await checkSecret(body, client);
  const quota = await server.registrationQuota();
  await quota.limitNetwork(networkOf(c));
  let before: Client | undefined;
  const after = await server.clients.update(client_id, (current) => {
    before = ownRecord(current(), tokenHash);
    return replacedRegistration(before, metadata);
  });
  note(c, before, after);
  return show(c, server, after, token);
}

/** Deletes a client at its own wish (RFC 7592 section 2.3). Its logins end, as when an administrator deletes it. */
export async function deleteRegistration(
  c: Context<AppEnv>,
): Promise<Response> {
  const server = await c.var.server();
  const { client, tokenHash } = await ownRegistration(c, server);
  const time = now();
  let before: Client | undefined;
  const check = (current: Client) => {
    before = ownRecord(current, tokenHash);
  };
  await deleteClient(server, client.client_id, time, check, isUnused);
  const { client_id } = client;
  note(c, before, { client_id, deleted_at: time });
  return c.body(null, 204);
}

/** The value of WWW-Authenticate for a request without a token. */
const challenge = 'Bearer realm="baton/register"';

/**
 * Requires an initial access token (RFC 7591 section 3): an admin token with the role `register`.
 *
 * @throws OAuthError
 */
async function requireInitialAccessToken(
  c: Context<AppEnv>,
  server: Server,
): Promise<void> {
  const found = await findAdministrator(c, server);
  if (!found)
    throw new OAuthError("initial_access_token_missing", {
      headers: { "WWW-Authenticate": challenge },
    });
  if (found.actor !== undefined) c.var.log.fields.actor = found.actor;
  if ("refused" in found)
    throw new OAuthError("initial_access_token_wrong", {
      headers: { "WWW-Authenticate": `${challenge}, error="invalid_token"` },
    });
  c.set("administrator", found);
  requireRole(c, "register", challenge);
}

/**
 * Finds the client whose registration access token the request has. Wrong tokens are limited per network.
 *
 * @throws OAuthError `registration_token_wrong` or `registration_tokens_limited`
 */
async function ownRegistration(
  c: Context<AppEnv>,
  server: Server,
): Promise<{ client: Client; token: string; tokenHash: Uint8Array }> {
  const client_id = c.req.param("client_id") ?? "";
  const token = bearerToken(c);
  // An id of another form is not looked up: it could be the URL of a metadata document.
  if (token === undefined || !isRegisteredId(client_id))
    throw registrationTokenWrong();
  const tokenHash = await hashRegistrationToken(token);
  const client = await server.guesses.limit(
    { kind: "registration_token", client_id, network: networkOf(c) },
    () =>
      findClient(server, client_id, (found) =>
        isOwnRegistration(found, tokenHash) ? found : undefined,
      ),
    (found) => found === undefined,
  );
  if (!client) throw registrationTokenWrong();
  c.var.log.fields.client_id = client_id;
  return { client, token, tokenHash };
}

/** Checks the token again, by the record that is written. @throws OAuthError `registration_token_wrong` */
function ownRecord(
  record: Client | ClientTombstone | undefined,
  tokenHash: Uint8Array,
): Client {
  if (isOwnRegistration(record, tokenHash)) return record;
  throw registrationTokenWrong();
}

/** RFC 7592 section 2.2: a secret that is sent must be the client's own. @throws OAuthError */
async function checkSecret(
  { client_secret: secret }: Readonly<Record<string, unknown>>,
  { secrets }: Client,
): Promise<void> {
  if (secret === undefined || secret === null || secret === "") return;
  if (
    typeof secret === "string" &&
    (await matchesSecret(secret, secrets, now()))
  )
    return;
  throw fieldError(
    "client_secret",
    "must be the current secret of the client, or be left out",
    "registration_metadata_invalid",
  );
}

async function show(
  c: Context<AppEnv>,
  { settings, resources }: Server,
  client: Client,
  token: string,
): Promise<Response> {
  const allowed = withCatalogueRule(client, await resources.catalogue());
  return c.json(registrationJson(allowed, settings, token));
}

async function bodyOf(
  c: Context<AppEnv>,
): Promise<Readonly<Record<string, unknown>>> {
  const type = mediaType(c.req.header("Content-Type")) ?? "";
  const isJson = /^application\/(?:[\w.-]+\+)?json$/.test(type);
  return readRegistrationBody(isJson ? await c.req.text() : undefined);
}

/** Adds the event of a registration, and the client to the log line. */
function note(
  c: Context<AppEnv>,
  before: Client | undefined,
  after: Client | ClientTombstone,
): void {
  const { client_id } = after;
  const { action, changes } = clientChanges(before, after);
  c.var.log.fields.client_id = client_id;
  if (action === "changed" && changes.length === 0) return;
  c.var.log.addEvent("client.registered", { client_id, action, changes });
}
