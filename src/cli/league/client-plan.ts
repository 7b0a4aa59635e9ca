import type { Scopes } from "./scopes.ts";

/** A row of the old server's table becomes a client, in the ways of this one. */

/** What a row of the old server's table says. */
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

/** What there is to say of a client, by what is to be done about it. */
export type Topic =
  | "needs_secret"
  | "perhaps_hash"
  | "easy_to_guess"
  | "form_encoded"
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
  /** null: its secret is hashed, or there is none. */
  client_secret?: string | null;
}

/** A row that becomes a client, or why it does not. */
export type Planned =
  | { client: NewClient; notes: Note[] }
  | { leftOut: string; client: Pick<NewClient, "client_id" | "client_name"> };

/** What a client of the old server becomes here. */
export function plan(old: OldClient, scopes: Scopes): Planned {
  const { id: client_id, name } = old;
  const named = { client_id, ...(name && { client_name: name }) };
  if (old.revoked) return { client: named, leftOut: "it is revoked there" };
  if (isOfPersonalTokens(old)) {
    return {
      client: named,
      leftOut: "it is for personal access tokens, which are never refreshed",
    };
  }
  const notes: Note[] = [];
  const confidential = old.is_confidential ?? old.secret !== undefined;
  const client: NewClient = {
    ...named,
    ...(confidential
      ? { client_secret: carriedOver(old, notes) }
      : { token_endpoint_auth_method: "none" as const }),
    grant_types: grantTypes(old, confidential, notes),
    scope: scopesOf(old, scopes).join(" "),
    redirect_uris: [...new Set(old.redirect_uris)],
  };
  if (!confidential && old.secret !== undefined)
    notes.push(changed("it is not confidential: its secret is left out"));
  return { client, notes };
}

/** Passport up to 12 has a column for it, later ones a grant type. */
function isOfPersonalTokens(old: OldClient): boolean {
  const grants = old.grant_types ?? [];
  return (
    old.personal_access_client ||
    (grants.includes("personal_access") && !grants.some(isOurs))
  );
}

const ourGrantTypes = [
  "authorization_code",
  "refresh_token",
  "client_credentials",
];

function isOurs(grant: string): boolean {
  return ourGrantTypes.includes(grant);
}

function grantTypes(
  old: OldClient,
  confidential: boolean,
  notes: Note[],
): string[] {
  const hasRedirect = (old.redirect_uris ?? []).length > 0;
  if (old.grant_types === undefined) {
    // The old server refreshed for everybody; how its users signed in only their URIs tell.
    if (old.password_client) return ["refresh_token"];
    if (hasRedirect) return ["authorization_code", "refresh_token"];
    return confidential
      ? ["refresh_token", "client_credentials"]
      : ["refresh_token"];
  }
  const asked = [...new Set(old.grant_types)];
  // RFC 6749 section 4.4: that grant is for clients that can authenticate.
  const kept = asked.filter(
    (grant) =>
      isOurs(grant) && (confidential || grant !== "client_credentials"),
  );
  const dropped = asked.filter((grant) => !kept.includes(grant));
  if (dropped.length > 0)
    notes.push(changed(`without the grant types ${dropped.join(", ")}`));
  return kept.length > 0 ? kept : ["refresh_token"];
}

function scopesOf({ scope }: OldClient, { catalogue, usual }: Scopes) {
  if (scope === undefined) return usual;
  return scope.includes("*") ? catalogue : [...new Set(scope)];
}

/** Shorter ones have been thought up by people: they can be guessed, and no slow hash hinders it. */
const LEAST_SECRET_LENGTH = 16;

/**
 * The secret to carry over; null if there is only a hash of it. A slow hash has no place at the token
 * endpoint: whoever knows a client id could make the server spend hundreds of milliseconds on each
 * request, before anybody is authenticated; bcrypt in JavaScript takes longer than the 10 ms of CPU
 * that a request has on the Workers Free plan; and the time would tell which clients exist.
 */
function carriedOver({ id, secret }: OldClient, notes: Note[]): string | null {
  const isHash = secret !== undefined && /^\$[\w-]+\$/.test(secret);
  if (secret === undefined || isHash) {
    const text = isHash ? "its secret is hashed" : "it has no secret";
    notes.push({ topic: "needs_secret", text });
    return null;
  }
  if (/^[0-9a-f]{64}$/.test(secret)) {
    const text = "its secret may be a SHA-256 hash";
    notes.push({ topic: "perhaps_hash", text });
  }
  if (secret.length < LEAST_SECRET_LENGTH) {
    const text = `its secret is shorter than ${LEAST_SECRET_LENGTH} characters`;
    notes.push({ topic: "easy_to_guess", text });
  }
  if (/[%+]/.test(id + secret)) {
    const text = "its id or its secret has a % or a + in it";
    notes.push({ topic: "form_encoded", text });
  }
  return secret;
}

export function changed(text: string): Note {
  return { topic: "changed", text };
}

/** Of a redirect URI no more than tells which one it is: it may have a password in it. */
const MOST_OF_URI = 200;

/** @param problem why the server does not take it, if it has said so */
export function withoutUri(uri: string, problem?: string): Note {
  const open = uri.replace(/\/\/.*@/s, "//…@");
  const shown =
    open.length > MOST_OF_URI ? `${open.slice(0, MOST_OF_URI)}…` : open;
  return changed(
    `without the redirect URI ${shown}${problem === undefined ? "" : `: ${problem}`}`,
  );
}
