import type * as v from "valibot";
import type { clientMetadata } from "../client-metadata.ts";
import { checkKeyFields } from "./key-fields.ts";
import { checkLogoutUris } from "./logout-uris.ts";
import { catalogueForCheck, checkIdTokenAudience } from "./openid-audience.ts";
import { givenSecretRecord, makeSecret } from "./secret.ts";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import {
  type Client,
  type ClientTombstone,
  hasSecret,
  isPublic,
  RESTORABLE_SECONDS,
} from "../entities.ts";
import { fieldError, OAuthError } from "../errors.ts";
import { isForConfidentialClients } from "../grant-types.ts";
import {
  catchUpExceeds,
  lifetimesOf,
  retryWindowExceeds,
} from "../lifetimes.ts";
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
  /** True: the client is disabled from the beginning. */
  disabled?: boolean | undefined;
}

/** A change of a client. Null removes a field (RFC 7396). */
export type ClientPatch = {
  [Name in keyof Metadata]?: Metadata[Name] | null;
} & {
  /** Ends what is as old. `now`: the time of this server. */
  tokens_not_before?: Seconds | "now" | undefined;
  /** True: every endpoint treats the client as unknown, until it is false again. */
  disabled?: boolean | undefined;
};

/** Refuses a change by the current record, such as if it is not the one that the caller has read. */
export type Precondition = (current: Client) => void;

/** Checks of a change, against the record as it is when it is written. */
interface ChangeChecks {
  precondition?: Precondition;
  /** Refuses a change that the caller may not make. */
  authorize?: (before: Client, after: Client) => void;
}

/** The parts of a server that making and changing a client needs. */
export interface Registry extends Pick<Server, "settings"> {
  clients: Pick<Server["clients"], "update">;
  scopes: Pick<Server["scopes"], "read">;
  resources: Pick<Server["resources"], "read">;
}

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
  server: Registry,
  {
    client_id = crypto.randomUUID(),
    client_secret: given,
    allow_weak_secret = false,
    disabled = false,
    ...metadata
  }: NewClient,
  now: Seconds,
): Promise<ClientWithSecret & Warned> {
  const identity = {
    client_id,
    client_id_issued_at: now,
    secrets: [],
    ...(disabled && { disabled_at: now }),
  };
  const described = await complete(server, { ...identity, ...metadata });
  const warnings = [
    ...checkRedirectUris(described),
    ...checkKeyFields(described, server.settings),
  ];
  checkLogoutUris(described, server.settings);
  const resources = await catalogueForCheck(server, described.scope);
  checkIdTokenAudience(described, server.settings, resources);
  if (!hasSecret(described) && given !== undefined)
    throw fieldError(
      "client_secret",
      isPublic(described)
        ? "must be left out, because a public client has no secret"
        : "must be left out, because the client authenticates with a key and has no secret",
    );
  const needsSecret = given === undefined && hasSecret(described);
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
 * that was useless without authentication stays useless. A client that now authenticates with a key loses its secrets
 * too, and its logins go on. If it is to have a secret again, it needs a new one.
 *
 * @throws OAuthError `admin_target_unknown`, `admin_body_invalid`, and what the checks throw
 */
export async function updateClient(
  server: Registry,
  clientId: string,
  { tokens_not_before, disabled, ...patch }: ClientPatch,
  now: Seconds,
  { precondition, authorize }: ChangeChecks = {},
): Promise<Warned> {
  const catalogue = await server.scopes.read();
  const resources = await catalogueForCheck(server, patch.scope);
  let warnings: string[] = [];
  const client = await server.clients.update(clientId, (current) => {
    const previous = existingClient(current());
    precondition?.(previous);
    const { disabled_at = now, ...rest } = previous;
    const isDisabled = disabled ?? previous.disabled_at !== undefined;
    const changed: Record<string, unknown> = {
      ...rest,
      ...(isDisabled && { disabled_at }),
    };
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) delete changed[name];
      else changed[name] = value;
    }
    // The client keeps a scope that has left the catalogue, so that the other changes are not refused.
    const known = [...Object.keys(catalogue), ...scopeSet(previous.scope)];
    const client = completeWith(known, server, changed as Identity & Metadata);
    warnings = [
      ...checkRedirectUris(client, previous),
      ...checkKeyFields(client, server.settings, previous),
    ];
    checkLogoutUris(client, server.settings, previous);
    checkIdTokenAudience(client, server.settings, resources, previous);
    const floors = [
      checkedFloor(tokens_not_before, previous, now),
      isPublic(client) && !isPublic(previous) ? now : undefined,
    ].filter((floor) => floor !== undefined);
    const isBack = previous.disabled_at !== undefined && !isDisabled;
    const next = {
      ...(isBack ? withTimeToBeUsed(client, now) : client),
      ...(!hasSecret(client) && { secrets: [] }),
      ...(floors.length > 0 && { tokens_not_before: Math.max(...floors) }),
    };
    authorize?.(previous, next);
    return next;
  });
  return { client, warnings };
}

/**
 * Returns a client that comes back. If it registered itself, its registration lasts long enough to be used again, because
 * its users may not have noticed that the client was gone.
 */
export function withTimeToBeUsed(client: Client, now: Seconds): Client {
  const { registration_expires_at: end } = client;
  if (end === undefined) return client;
  const registration_expires_at = Math.max(end, now + RESTORABLE_SECONDS);
  return { ...client, registration_expires_at };
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
  server: Registry,
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
  server: Registry,
  described: Identity & Metadata,
): Client {
  const scope = (parseScope(described.scope ?? "") ?? []).join(" ");
  const unknown = scopeSet(scope).find((name) => !knownScopes.includes(name));
  if (unknown !== undefined)
    throw fieldError("scope", `${unknown} is not in the scope catalogue`);
  // A configured retry window that is longer than this client's lifetimes is not an error of the client.
  const hasOwnWindow = described.refresh_token_retry_window !== undefined;
  const lifetimes = lifetimesOf(described, server.settings);
  const exceeded = hasOwnWindow && retryWindowExceeds(lifetimes);
  if (exceeded)
    throw fieldError(
      "refresh_token_retry_window",
      `must not be longer than ${exceeded}`,
    );
  if (catchUpExceeds(described, lifetimes))
    throw fieldError(
      "refresh_token_catch_up",
      "must not be longer than refresh_token_ttl",
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
      `${confidential} is only for clients that authenticate`,
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
