import * as base64url from "jose/base64url";
import type { Client } from "./entities.ts";
import {
  comparableResource,
  registeredResources,
  soleResource,
} from "./resource.ts";

/*
 * A login that names no resource leaves the choice to each request. It remembers which resources its client
 * could ask for when it began, so that a resource that the client gets later needs a new login.
 *
 * It remembers digests and not the URIs, because a client may have 100 URIs of 2,048 characters, every family
 * stores them, and an authorization code carries them through a browser. The digests are of the form in which
 * resources are compared, so that they hold for every spelling.
 */

/** 96 bits per digest, so that nobody finds a URI with the digest of another one. */
const DIGEST_BYTES = 12;

/** The most digests that an isolate keeps, so that a refresh seldom computes one. */
const MAX_KEPT = 1_000;

const kept = new Map<string, string>();

/** The digests of resources, by the form in which they are compared. */
export type ResourceDigests = Record<string, string>;

/** The attribute of a login that names no resource. */
export interface ResourceMemory {
  /**
   * The digests of the resources that the client could ask for when the login began. Left out: the login
   * names its resources, or it began before Baton kept digests.
   */
  choosable_resources?: string[];
}

/**
 * Makes the memory of a login that begins.
 *
 * @param named the resources that the login names
 */
export async function rememberResources(
  { resources }: Pick<Client, "resources">,
  named: readonly string[],
): Promise<ResourceMemory> {
  if (named.length > 0) return {};
  const forms = [...new Set(resources.map(comparableResource))];
  return { choosable_resources: await Promise.all(forms.map(digest)) };
}

/**
 * Returns the resource of a token for which none was named: the client's only one, if the login remembers it.
 * Undefined: the token is for no resource.
 *
 * @param client by its record as it is today
 */
export async function defaultResource(
  { resources }: Pick<Client, "resources">,
  login: ResourceMemory,
): Promise<string | undefined> {
  const [only] = soleResource(resources);
  if (only === undefined) return undefined;
  const digests = await digestResources([only], [only]);
  return rememberedResources([only], login, digests)[0];
}

/** Digests the requested resources that the client may ask for today. Other resources are refused anyway. */
export async function digestResources(
  requested: readonly string[],
  allowed: readonly string[],
): Promise<ResourceDigests> {
  // Comparing 100 URIs costs more than the rest of a refresh, and most requests name none.
  if (requested.length === 0) return {};
  const forms = registeredResources(requested, allowed).map(comparableResource);
  const pairs = forms.map(async (form) => [form, await digest(form)] as const);
  return Object.fromEntries(await Promise.all(pairs));
}

/**
 * Leaves out the resources that a login does not remember.
 *
 * @param allowed the resources that the client may ask for today
 * @param digests of the resources that the request names
 */
export function rememberedResources(
  allowed: readonly string[],
  { choosable_resources }: ResourceMemory,
  digests: ResourceDigests,
): string[] {
  if (!choosable_resources) return [...allowed];
  return allowed.filter((uri) => {
    const digest = digests[comparableResource(uri)] ?? "not requested";
    return choosable_resources.includes(digest);
  });
}

async function digest(form: string): Promise<string> {
  const known = kept.get(form);
  if (known !== undefined) return known;
  const bytes = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(form),
  );
  const made = base64url.encode(new Uint8Array(bytes, 0, DIGEST_BYTES));
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(form, made);
  return made;
}
