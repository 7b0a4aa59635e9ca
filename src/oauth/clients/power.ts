import { after } from "../duration.ts";
import type { Client, ResourceCatalogue } from "../entities.ts";
import {
  type CatchUp,
  catchUpOf,
  type Lifetimes,
  lifetimesOf,
} from "../lifetimes.ts";
import { ownScopes, type Resource } from "../protected-resources.ts";
import { comparableResource } from "../resource.ts";
import { scopeSet } from "../scope.ts";

/**
 * The power of a client: what its tokens may do, how long, and who can get them. An operator may take power from a
 * client and never give it.
 */

/** Tells whether a change of one field gives a client power. */
type Rule = (before: Client, after: Client, settings: Lifetimes) => boolean;

/** Any change of the field counts. Only an administrator can judge it, or the API cannot change it anyway. */
function anyChange(name: keyof Client): Rule {
  return (before, after) =>
    JSON.stringify(before[name]) !== JSON.stringify(after[name]);
}

/** A value that is another one or new counts. */
function otherValue(name: keyof Client): Rule {
  return (before, after) =>
    after[name] !== undefined && after[name] !== before[name];
}

function longer(name: keyof Lifetimes): Rule {
  return (before, after, settings) =>
    isEverLonger(
      lifetimesOf(after, settings)[name],
      lifetimesOf(before, settings)[name],
    );
}

/** The rule of every field of the record, so that a new field must get one. */
const rules: Record<keyof Client, Rule> = {
  client_id: anyChange("client_id"),
  client_id_issued_at: anyChange("client_id_issued_at"),
  client_name: () => false,
  token_endpoint_auth_method: anyChange("token_endpoint_auth_method"),
  grant_types: (before, after) =>
    hasMore(before.grant_types, after.grant_types),
  scope: (before, after) =>
    hasMore(scopeSet(before.scope), scopeSet(after.scope)),
  redirect_uris: (before, after) =>
    hasMore(before.redirect_uris, after.redirect_uris),
  // The end session endpoint redirects browsers there.
  post_logout_redirect_uris: (before, after) =>
    hasMore(
      before.post_logout_redirect_uris ?? [],
      after.post_logout_redirect_uris ?? [],
    ),
  // The server posts there, and says who was signed in.
  backchannel_logout_uri: (before, after) =>
    after.backchannel_logout_uri !== undefined &&
    after.backchannel_logout_uri !== before.backchannel_logout_uri,
  backchannel_logout_session_required: () => false,
  resources: (before, after) =>
    hasMore(before.resources, after.resources) ||
    // A token for no resource then has the server's audience.
    (hasDefaultResource(before) && !hasDefaultResource(after)),
  resource_server: anyChange("resource_server"),
  require_pkce: (before, after) =>
    before.require_pkce !== false && after.require_pkce === false,
  refresh_without_offline_access: (before, after) =>
    before.refresh_without_offline_access !== true &&
    after.refresh_without_offline_access === true,
  access_token_ttl: longer("access_token_ttl"),
  refresh_token_ttl: longer("refresh_token_ttl"),
  refresh_token_max_age: longer("refresh_token_max_age"),
  refresh_token_retry_window: longer("refresh_token_retry_window"),
  access_token_format: anyChange("access_token_format"),
  refresh_token_catch_up: (before, after, settings) => {
    const [was, is] = [before, after].map((client) =>
      catchUpOf(client, lifetimesOf(client, settings)),
    ) as [CatchUp, CatchUp];
    return (
      isEverLonger(is.bound, was.bound) || isEverLonger(is.unbound, was.unbound)
    );
  },
  // Who has the private key of one of them can be the client.
  jwks: (before, after) => hasMore(keyTexts(before), keyTexts(after)),
  jwks_uri: otherValue("jwks_uri"),
  // A recorded request is then worth more.
  single_use_client_assertions: (before, after) =>
    before.single_use_client_assertions === true &&
    after.single_use_client_assertions !== true,
  // A client that no longer has to prove a key gets tokens that anybody may use.
  dpop_bound_access_tokens: (before, after) =>
    before.dpop_bound_access_tokens === true &&
    after.dpop_bound_access_tokens !== true,
  tls_client_certificate_bound_access_tokens: (before, after) =>
    before.tls_client_certificate_bound_access_tokens === true &&
    after.tls_client_certificate_bound_access_tokens !== true,
  tls_client_auth_subject_dn: otherValue("tls_client_auth_subject_dn"),
  tls_client_auth_san_dns: otherValue("tls_client_auth_san_dns"),
  tls_client_auth_san_uri: otherValue("tls_client_auth_san_uri"),
  tls_client_auth_san_ip: otherValue("tls_client_auth_san_ip"),
  tls_client_auth_san_email: otherValue("tls_client_auth_san_email"),
  secrets: anyChange("secrets"),
  registered_by: anyChange("registered_by"),
  registration_expires_at: anyChange("registration_expires_at"),
  registration_token_hash: anyChange("registration_token_hash"),
  // `updateClient` refuses to set it back.
  tokens_not_before: () => false,
  disabled_at: (before, after) =>
    before.disabled_at !== undefined && after.disabled_at === undefined,
};

/**
 * Tells whether a change gives a client power: more, for longer, or for others than before.
 *
 * @param settings the lifetimes of a client whose record has none
 */
export function givesPower(
  before: Client,
  after: Client,
  settings: Lifetimes,
): boolean {
  return Object.values(rules).some((rule) => rule(before, after, settings));
}

/** A resource that is not in the catalogue. */
const noEntry: Resource = { scope: "", self_registered_clients: false };

/**
 * Tells whether a change of a resource gives clients power: to somebody, more, for longer, or at another API than before.
 * It may be new, or removed.
 */
export function catalogueGivesPower(
  before: ResourceCatalogue,
  after: ResourceCatalogue,
  uri: string,
): boolean {
  const entryIn = (catalogue: ResourceCatalogue) =>
    (Object.hasOwn(catalogue, uri) && catalogue[uri]) || noEntry;
  return (
    entryGivesPower(entryIn(before), entryIn(after)) ||
    letsScopesOut(before, after)
  );
}

function entryGivesPower(before: Resource, after: Resource): boolean {
  const wasOpen = before.self_registered_clients;
  const scopesBefore = wasOpen ? scopeSet(before.scope) : [];
  const ttl = after.access_token_ttl;
  return (
    (after.self_registered_clients &&
      (!wasOpen || hasMore(scopesBefore, scopeSet(after.scope)))) ||
    after.audience !== before.audience ||
    after.access_token_format !== before.access_token_format ||
    // Without a lifetime of the resource, each client has its own, which may be longer or shorter.
    (ttl !== before.access_token_ttl &&
      (ttl === undefined ||
        before.access_token_ttl === undefined ||
        isEverLonger(ttl, before.access_token_ttl)))
  );
}

/**
 * Tells whether a scope that belongs to resources may now be in tokens for others: it belongs to one more, or to none, and
 * then every token may have it.
 */
function letsScopesOut(
  before: ResourceCatalogue,
  after: ResourceCatalogue,
): boolean {
  const now = scopeOwnersIn(after);
  return [...scopeOwnersIn(before)].some(([scope, owners]) => {
    const ownersNow = now.get(scope) ?? [];
    return ownersNow.length === 0 || hasMore(owners, ownersNow);
  });
}

/** Returns the URIs of the resources that each scope belongs to. */
function scopeOwnersIn(catalogue: ResourceCatalogue): Map<string, string[]> {
  const owners = new Map<string, string[]>();
  for (const [uri, { scope }] of Object.entries(catalogue))
    for (const name of ownScopes(scope))
      owners.set(name, [...(owners.get(name) ?? []), uri]);
  return owners;
}

function keyTexts({ jwks }: Client): string[] {
  return jwks?.keys.map((key) => JSON.stringify(key)) ?? [];
}

function hasMore(before: readonly string[], after: readonly string[]): boolean {
  return after.some((value) => !before.includes(value));
}

/** Tells whether the client has only one resource, which is then that of a token for which none is named. */
function hasDefaultResource({ resources }: Client): boolean {
  return new Set(resources.map(comparableResource)).size === 1;
}

/** The beginnings of the months of four years, one of which is a leap year, in seconds since 1970. */
function monthStarts(): number[] {
  return Array.from({ length: 48 }, (_, month) => Date.UTC(2024, month) / 1000);
}

/** Tells whether a duration is longer than another one in some month: P30D is longer than P1M in February. */
function isEverLonger(duration: string, than: string): boolean {
  if (duration === than) return false;
  return monthStarts().some(
    (start) => after(duration, start) > after(than, start),
  );
}
