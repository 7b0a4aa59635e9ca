import type { Scopes } from "./scopes.ts";
import {
  isForConfidentialClients,
  isGrantTypeName,
} from "../../oauth/grant-types.ts";
import { weakSecretProblem } from "../../oauth/secret-floor.ts";

/** Plans which client of this server a row of the old server's table becomes. */

/** A row of the old server's table. */
export interface OldClient {
  id: string;
  secret?: string | undefined;
  name?: string | undefined;
  redirect_uris?: string[] | undefined;
  is_confidential?: boolean | undefined;
  scope?: string[] | undefined;
  grant_types?: string[] | undefined;
  revoked: boolean;
  personal_access_client: boolean;
  password_client: boolean;
}

/** The topics of notes about clients. The report has one list, with one instruction, for each topic. */
export type Topic =
  | "needs_secret"
  | "perhaps_hash"
  | "weak_left_out"
  | "weak_imported"
  | "warned"
  | "changed";

export interface Note {
  topic: Topic;
  text: string;
}

/** The fields of `POST /admin/clients`. */
export interface NewClient {
  client_id: string;
  client_name?: string;
  token_endpoint_auth_method?: "none";
  grant_types: string[];
  scope: string;
  redirect_uris: string[];
  /** null: the table has only a hash of the secret, or no secret. */
  client_secret?: string | null;
  /** Set if the secret is easy to guess. */
  allow_weak_secret?: true;
}

export interface PlanOptions {
  scopes: Scopes;
  /** True: secrets that are easy to guess are imported too. */
  allowWeakSecrets: boolean;
}

/** The client to create, or the reason why the row is left out. */
export type Planned =
  | { client: NewClient; notes: Note[] }
  | { leftOut: string; client: Pick<NewClient, "client_id" | "client_name"> };

/** Plans the client of this server for a client of the old server. */
export function planClient(
  old: OldClient,
  { scopes, allowWeakSecrets }: PlanOptions,
): Planned {
  const { id: client_id, name } = old;
  const named = { client_id, ...(name && { client_name: name }) };
  if (old.revoked)
    return { client: named, leftOut: "it is revoked at the old server" };
  if (isForPersonalAccessTokens(old)) {
    return {
      client: named,
      leftOut: "it is for personal access tokens, which cannot be refreshed",
    };
  }
  const notes: Note[] = [];
  const confidential = old.is_confidential ?? old.secret !== undefined;
  const client: NewClient = {
    ...named,
    ...(confidential
      ? secretToImport(old, allowWeakSecrets, notes)
      : { token_endpoint_auth_method: "none" as const }),
    grant_types: grantTypes(old, confidential, notes),
    scope: scopesOf(old, scopes).join(" "),
    redirect_uris: [...new Set(old.redirect_uris)],
  };
  if (!confidential && old.secret !== undefined)
    notes.push(changedNote("it is a public client: its secret is left out"));
  return { client, notes };
}

/** Passport up to version 12 has a column for this, later versions a grant type. */
function isForPersonalAccessTokens(old: OldClient): boolean {
  const grants = old.grant_types ?? [];
  return (
    old.personal_access_client ||
    (grants.includes("personal_access") && !grants.some(isGrantTypeName))
  );
}

function grantTypes(
  old: OldClient,
  confidential: boolean,
  notes: Note[],
): string[] {
  const hasRedirect = (old.redirect_uris ?? []).length > 0;
  if (old.grant_types === undefined) {
    // The old server let every client refresh. Only a redirect URI shows that users sign in.
    if (old.password_client) return ["refresh_token"];
    if (hasRedirect) return ["authorization_code", "refresh_token"];
    return confidential
      ? ["refresh_token", "client_credentials"]
      : ["refresh_token"];
  }
  const requested = [...new Set(old.grant_types)];
  // RFC 6749 section 4.4: only confidential clients may use the client credentials grant.
  const kept = requested.filter(
    (grant) =>
      isGrantTypeName(grant) &&
      (confidential || !isForConfidentialClients(grant)),
  );
  const dropped = requested.filter((grant) => !kept.includes(grant));
  if (dropped.length > 0)
    notes.push(changedNote(`without the grant types ${dropped.join(", ")}`));
  return kept.length > 0 ? kept : ["refresh_token"];
}

function scopesOf({ scope }: OldClient, { catalogue, defaults }: Scopes) {
  if (scope === undefined) return defaults;
  return scope.includes("*") ? catalogue : [...new Set(scope)];
}

/**
 * The secret to import; null if the table has only a hash of it, or if it is easy to guess. Adds notes about the secret. The token endpoint does not verify slow
 * hashes (bcrypt, argon2), for three reasons. Anybody who knows a client id could make the server spend
 * hundreds of milliseconds per request, before authentication. bcrypt in JavaScript takes longer than
 * the 10 ms of CPU time that a request gets on the Workers Free plan. And the response time would show
 * which clients exist.
 */
function secretToImport(
  { secret }: OldClient,
  allowWeakSecrets: boolean,
  notes: Note[],
): Pick<NewClient, "client_secret" | "allow_weak_secret"> {
  const isHash = secret !== undefined && /^\$[\w-]+\$/.test(secret);
  if (secret === undefined || isHash) {
    const text = isHash ? "its secret is hashed" : "it has no secret";
    notes.push({ topic: "needs_secret", text });
    return { client_secret: null };
  }
  const weakness = weakSecretProblem(secret);
  if (weakness !== undefined && !allowWeakSecrets) {
    notes.push({ topic: "weak_left_out", text: `its secret ${weakness}` });
    return { client_secret: null };
  }
  if (/^[0-9a-f]{64}$/.test(secret)) {
    const text = "its secret may be a SHA-256 hash";
    notes.push({ topic: "perhaps_hash", text });
  }
  if (weakness !== undefined) {
    const text = "its secret is easy to guess";
    notes.push({ topic: "weak_imported", text });
  }
  return {
    client_secret: secret,
    ...(weakness !== undefined && { allow_weak_secret: true as const }),
  };
}

export function changedNote(text: string): Note {
  return { topic: "changed", text };
}

/** Notes show at most this many characters of a redirect URI. */
const MAX_URI_LENGTH = 200;

/**
 * The note about a redirect URI that the client does not get. Hides a user name and password in the URI.
 *
 * @param problem the server's reason, if it is known
 */
export function droppedUriNote(uri: string, problem?: string): Note {
  const withoutPassword = uri.replace(/\/\/.*@/s, "//…@");
  const shown =
    withoutPassword.length > MAX_URI_LENGTH
      ? `${withoutPassword.slice(0, MAX_URI_LENGTH)}…`
      : withoutPassword;
  return changedNote(
    `without the redirect URI ${shown}${problem === undefined ? "" : `: ${problem}`}`,
  );
}
