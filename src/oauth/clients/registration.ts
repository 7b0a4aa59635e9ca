import type * as v from "valibot";
import type { clientMetadata } from "../client-metadata.ts";
import { givenSecretRecord, makeSecret } from "./secret.ts";
import { after, CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import { type Client, type ClientTombstone, isPublic } from "../entities.ts";
import { fieldError, OAuthError } from "../errors.ts";
import { isForConfidentialClients } from "../grant-types.ts";
import { lifetimesOf, retryWindowExceeds } from "../lifetimes.ts";
import { schemeWarning } from "../redirect-schemes.ts";
import { registrationProblem } from "../redirect-uri.ts";
import { parseScope, scopeSet } from "../scope.ts";
import type { Server } from "../server.ts";

/** The metadata of a client, each field optional. */
type Metadata = {
  [Name in keyof typeof clientMetadata]?:
    v.InferOutput<(typeof clientMetadata)[Name]> | undefined;
};

/** A client's record, and its secret if that was made just now. */
export interface ClientWithSecret {
  client: Client;
  client_secret?: string;
}

/** A client's record, with what to think about before apps use it. The record does not keep the warnings. */
interface Warned {
  client: Client;
  warnings: string[];
}

/** The input of `registerClient`. */
interface NewClient extends Metadata {
  /** Left out: a random UUID. */
  client_id?: string | undefined;
  /**
   * A secret that the client has already. Null: the client gets no secret yet. Left out: a new one is made.
   */
  client_secret?: string | null | undefined;
  /** True: the given secret may be easy to guess. */
  allow_weak_secret?: boolean | undefined;
}

/** A change of a client. Null removes a field (RFC 7396). */
export type ClientPatch = {
  [Name in keyof Metadata]?: Metadata[Name] | null;
} & {
  /** Ends what is as old. `now`: the time of this server. */
  tokens_not_before?: Seconds | "now" | undefined;
};

/** The shortest expiry that KV allows, in seconds. */
const MIN_KV_SECONDS = 60;

/** The grant types of a client that was created without any: it signs users in and keeps them signed in. */
const defaultGrantTypes: Client["grant_types"] = [
  "authorization_code",
  "refresh_token",
];

/**
 * Creates a client (RFC 7591 section 3.2.1).
 *
 * @returns its record with warnings, and its secret, only this time and only if it was made here
 * @throws OAuthError `client_id_taken`, `admin_body_invalid`
 */
export async function registerClient(
  server: Server,
  {
    client_id = crypto.randomUUID(),
    client_secret: given,
    allow_weak_secret = false,
    ...metadata
  }: NewClient,
  now: Seconds,
): Promise<ClientWithSecret & Warned> {
  const identity = { client_id, client_id_issued_at: now, secrets: [] };
  const described = await complete(server, { ...identity, ...metadata });
  const warnings = checkRedirectUris(described);
  if (isPublic(described) && given !== undefined)
    throw fieldError(
      "client_secret",
      "must be left out, because a public client has no secret",
    );
  const needsSecret = given === undefined && !isPublic(described);
  const made = needsSecret ? await makeSecret(now) : undefined;
  const record = given
    ? await givenSecretRecord(given, now, allow_weak_secret)
    : made?.record;
  const client = await server.clients.update(client_id, (current) => {
    if (current()) throw new OAuthError("client_id_taken");
    return record ? { ...described, secrets: [record] } : described;
  });
  return { client, warnings, ...(made && { client_secret: made.secret }) };
}

/**
 * Changes a client. A client that becomes public loses its secrets, and all that it has ends, so that a token
 * that was useless without the secret stays useless. If it becomes confidential again, it needs a new secret.
 *
 * @throws OAuthError `admin_target_unknown`, `admin_body_invalid`
 */
export async function updateClient(
  server: Server,
  clientId: string,
  { tokens_not_before, ...patch }: ClientPatch,
  now: Seconds,
): Promise<Warned> {
  const catalogue = await server.scopes.read();
  let warnings: string[] = [];
  const client = await server.clients.update(clientId, (current) => {
    const previous = existingClient(current());
    const changed: Record<string, unknown> = { ...previous };
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) delete changed[name];
      else changed[name] = value;
    }
    // The client keeps a scope that has left the catalogue, so that the other changes are not refused.
    const known = [...Object.keys(catalogue), ...scopeSet(previous.scope)];
    const client = completeWith(known, server, changed as Identity & Metadata);
    warnings = checkRedirectUris(client, previous);
    const floors = [
      checkedFloor(tokens_not_before, previous, now),
      isPublic(client) && !isPublic(previous) ? now : undefined,
    ].filter((floor) => floor !== undefined);
    return {
      ...client,
      ...(isPublic(client) && { secrets: [] }),
      ...(floors.length > 0 && { tokens_not_before: Math.max(...floors) }),
    };
  });
  return { client, warnings };
}

/**
 * Checks a new `tokens_not_before`. It cannot go back, because what has ended stays ended.
 *
 * @returns the value for the record; undefined if it has none
 * @throws OAuthError `admin_body_invalid`
 */
function checkedFloor(
  floor: ClientPatch["tokens_not_before"],
  { tokens_not_before: previous }: Client,
  now: Seconds,
): Seconds | undefined {
  if (floor === undefined) return previous;
  if (floor === "now") return Math.max(now, previous ?? 0);
  if (floor > now + CLOCK_SKEW_SECONDS)
    throw fieldError(
      "tokens_not_before",
      "must not be in the future. It is in seconds since 1970, or now",
    );
  if (floor < (previous ?? 0))
    throw fieldError(
      "tokens_not_before",
      `must not be before ${previous}, because what has ended stays ended`,
    );
  return floor;
}

/**
 * Deletes a client, even if its record can't be read. Its id stays taken until every token that names it has
 * expired, so that the tokens of two clients cannot be mixed up.
 *
 * @throws OAuthError `admin_target_unknown`
 */
export function deleteClient(
  server: Server,
  clientId: string,
  now: Seconds,
): Promise<void> {
  const tombstone = { client_id: clientId, deleted_at: now };
  return server.clients.replaceWithTombstone(clientId, (current) => {
    const client = existingClientUnlessMalformed(current);
    const lifetimes = lifetimesOf(client ?? {}, server.settings);
    const ages = [
      lifetimes.refresh_token_max_age,
      server.settings.refresh_token_max_age,
      // An access token of the client itself is not bounded by a family.
      lifetimes.access_token_ttl,
      // A league token names its client by the id alone, so it would be valid for a later client.
      ...server.tokenKinds.flatMap(({ longestLife = [] }) => longestLife),
    ];
    const lastEnd = Math.max(...ages.map((age) => after(age, now)));
    return { tombstone, seconds: Math.max(lastEnd - now, MIN_KV_SECONDS) };
  });
}

function existingClientUnlessMalformed(
  current: () => Client | ClientTombstone | undefined,
) {
  try {
    return existingClient(current());
  } catch (error) {
    if (error instanceof OAuthError && error.reason === "record_malformed")
      return undefined;
    throw error;
  }
}

/** Returns a client that exists. @throws OAuthError `admin_target_unknown` */
export function existingClient(
  record: Client | ClientTombstone | undefined,
): Client {
  if (record && "secrets" in record) return record;
  throw new OAuthError("admin_target_unknown", { subject: "such client" });
}

type Identity = Pick<Client, "client_id" | "client_id_issued_at" | "secrets">;

/** Fills in the fields that were left out, and checks the others against each other and the catalogue. */
async function complete(
  server: Server,
  described: Identity & Metadata,
): Promise<Client> {
  return completeWith(
    Object.keys(await server.scopes.read()),
    server,
    described,
  );
}

function completeWith(
  knownScopes: readonly string[],
  server: Server,
  described: Identity & Metadata,
): Client {
  const scope = (parseScope(described.scope ?? "") ?? []).join(" ");
  const unknown = scopeSet(scope).find((name) => !knownScopes.includes(name));
  if (unknown !== undefined)
    throw fieldError("scope", `${unknown} is not in the scope catalogue`);
  // A configured retry window that is longer than this client's lifetimes is not an error of the client.
  const hasOwnWindow = described.refresh_token_retry_window !== undefined;
  const exceeded =
    hasOwnWindow && retryWindowExceeds(lifetimesOf(described, server.settings));
  if (exceeded)
    throw fieldError(
      "refresh_token_retry_window",
      `must not be longer than ${exceeded}`,
    );
  const {
    grant_types = defaultGrantTypes,
    redirect_uris = [],
    resources = [],
    ...rest
  } = described;
  const client = { ...rest, grant_types, redirect_uris, resources, scope };
  const confidential = grant_types.find(isForConfidentialClients);
  if (isPublic(client) && confidential !== undefined)
    throw fieldError(
      "grant_types",
      `${confidential} is only for clients with a secret`,
    );
  if (isPublic(client) && client.require_pkce === false)
    throw fieldError(
      "require_pkce",
      "must not be false for a public client, because only PKCE protects its codes. Remove it or set it to true",
    );
  return client;
}

/**
 * Checks new redirect URIs. The previous ones are not checked, so that other fields can be changed.
 *
 * @returns warnings about the new ones, and about all of them if PKCE is waived now
 * @throws OAuthError `admin_body_invalid`
 */
function checkRedirectUris(client: Client, previous?: Client): string[] {
  const hasPkce = client.require_pkce !== false;
  const losesPkce = !hasPkce && previous?.require_pkce !== false;
  const known = new Set(previous?.redirect_uris);
  const warnings = client.redirect_uris.flatMap((uri, position) => {
    const isNew = !known.has(uri);
    const problem = isNew ? registrationProblem(uri) : undefined;
    if (problem !== undefined)
      throw fieldError(`redirect_uris.${position}`, problem);
    return isNew || losesPkce ? (schemeWarning(uri, hasPkce) ?? []) : [];
  });
  // The list may have the same URI twice.
  return [...new Set(warnings)];
}
