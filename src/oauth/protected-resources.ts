import { after, type Seconds } from "./duration.ts";
import type { Client, ResourceCatalogue } from "./entities.ts";
import { type Lifetimes, lifetimesOf } from "./lifetimes.ts";
import { comparableResource } from "./resource.ts";
import { scopeSet } from "./scope.ts";
import type { Settings } from "./settings.ts";

/*
 * The rules of the catalogue of protected resources. A resource that is not in it is only a name in a client's record,
 * and nothing here applies to it.
 */

/**
 * The scopes that belong to no resource, also if an entry lists them: they are about the user or the login (OpenID
 * Connect Core sections 5.4 and 11), and every resource may need them.
 */
const commonScopes: readonly string[] = [
  "openid",
  "profile",
  "email",
  "phone",
  "address",
  "offline_access",
];

/** An entry of the catalogue. */
export type Resource = ResourceCatalogue[string];

/** A catalogue by what requests and tokens have. Forms are those in which resources are compared. */
interface Index {
  /** The entries by the forms of their URIs, with the URIs as the catalogue spells them. */
  entries: ReadonlyMap<string, readonly [uri: string, resource: Resource]>;
  /** The URIs by the forms of their audiences. */
  uris: ReadonlyMap<string, string>;
  /** The forms of the resources that a scope belongs to, by the scope. */
  owners: ReadonlyMap<string, readonly string[]>;
}

/** An isolate keeps a catalogue for a minute, and each request of that time needs its index. */
const indexes = new WeakMap<ResourceCatalogue, Index>();

function indexOf(catalogue: ResourceCatalogue): Index {
  const known = indexes.get(catalogue);
  if (known) return known;
  const entries = new Map<string, [string, Resource]>();
  const uris = new Map<string, string>();
  const owners = new Map<string, string[]>();
  for (const [uri, resource] of Object.entries(catalogue)) {
    const form = comparableResource(uri);
    entries.set(form, [uri, resource]);
    const { audience, scope } = resource;
    if (audience !== undefined) uris.set(comparableResource(audience), uri);
    for (const name of ownScopes(scope))
      owners.set(name, [...(owners.get(name) ?? []), form]);
  }
  const index = { entries, uris, owners };
  indexes.set(catalogue, index);
  return index;
}

/** Returns the scopes of an entry that belong to it. */
export function ownScopes(scope: string): string[] {
  return scopeSet(scope).filter((name) => !commonScopes.includes(name));
}

/** Finds the entry of a resource, in any spelling of its URI. */
export function entryOf(
  uri: string,
  catalogue: ResourceCatalogue,
): { uri: string; resource: Resource } | undefined {
  const found = indexOf(catalogue).entries.get(comparableResource(uri));
  return found && { uri: found[0], resource: found[1] };
}

/** Tells whether a text is the URI or the audience of a resource, in any spelling. */
export function isNameIn(catalogue: ResourceCatalogue, text: string): boolean {
  const { entries, uris } = indexOf(catalogue);
  const form = comparableResource(text);
  return entries.has(form) || uris.has(form);
}

/** The scopes that belong to resources, each with the forms of those of a client's resources that it belongs to. */
export type ScopeOwners = Record<string, string[]>;

/**
 * Returns the owners of a client's scopes. Undefined: none of them belongs to a resource, or the client has no
 * resources, so that none of its tokens is for one.
 */
export function scopeOwners(
  scopes: readonly string[],
  resources: readonly string[],
  catalogue: ResourceCatalogue,
): ScopeOwners | undefined {
  if (resources.length === 0) return undefined;
  const { owners } = indexOf(catalogue);
  if (owners.size === 0) return undefined;
  const forms = new Set(resources.map(comparableResource));
  const owned = scopes.flatMap((scope) => {
    const found = owners.get(scope);
    return found ? [[scope, found.filter((form) => forms.has(form))]] : [];
  });
  return owned.length > 0
    ? (Object.fromEntries(owned) as ScopeOwners)
    : undefined;
}

/**
 * Leaves out the scopes that belong to resources, but to none of the token's.
 *
 * @param resources those of the token. Empty: the token is for no resource, and every scope stays
 */
export function scopesForResources(
  scopes: readonly string[],
  resources: readonly string[],
  owners: ScopeOwners | undefined,
): string[] {
  if (!owners || resources.length === 0) return [...scopes];
  const forms = resources.map(comparableResource);
  return scopes.filter(
    (scope) =>
      !Object.hasOwn(owners, scope) ||
      owners[scope]!.some((form) => forms.includes(form)),
  );
}

/** Returns the audiences of a token for some resources, as the catalogue spells them. */
export function audiencesOf(
  resources: readonly string[],
  catalogue: ResourceCatalogue,
): string[] {
  const audiences = resources.map((uri) => {
    const entry = entryOf(uri, catalogue);
    return entry ? (entry.resource.audience ?? entry.uri) : uri;
  });
  return [...new Set(audiences)];
}

/** Returns the resources that some audiences name: the URI of an entry instead of its audience. */
export function resourcesOf(
  audiences: readonly string[],
  catalogue: ResourceCatalogue,
): string[] {
  const { uris } = indexOf(catalogue);
  return audiences.map((name) => uris.get(comparableResource(name)) ?? name);
}

/**
 * Returns a client with the format and the lifetime of access tokens that are for some resources: those of the entries,
 * else the client's own. Of several lifetimes it is the shortest. Formats that differ become rfc9068, which every
 * resource server should read.
 *
 * @param now the time from which months are counted
 */
export function withResourceRules(
  client: Client,
  resources: readonly string[],
  catalogue: ResourceCatalogue,
  settings: Lifetimes & Pick<Settings, "access_token_format">,
  now: Seconds,
): Client {
  const entries = resources.map((uri) => entryOf(uri, catalogue)?.resource);
  if (entries.every((entry) => entry === undefined)) return client;
  const own = {
    access_token_ttl: lifetimesOf(client, settings).access_token_ttl,
    access_token_format:
      client.access_token_format ?? settings.access_token_format,
  };
  const formats = entries.map(
    (entry) => entry?.access_token_format ?? own.access_token_format,
  );
  const lifetimes = entries.map(
    (entry) => entry?.access_token_ttl ?? own.access_token_ttl,
  );
  const [shortest = own.access_token_ttl] = lifetimes.toSorted(
    (one, other) => after(one, now) - after(other, now),
  );
  const [format = own.access_token_format] = new Set(formats);
  return {
    ...client,
    access_token_ttl: shortest,
    access_token_format: new Set(formats).size > 1 ? "rfc9068" : format,
  };
}
