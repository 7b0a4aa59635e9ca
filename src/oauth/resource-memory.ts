import { base64url } from "jose";
import type { Client } from "./entities.ts";

/*
 * A login that names no resource leaves the choice to each request. It remembers which resources its client
 * could ask for when it began, so that a resource that the client gets later needs a new login.
 *
 * It remembers digests and not the URIs, because a client may have 100 URIs of 2,048 characters, every family
 * stores them, and an authorization code carries them through a browser.
 */

/** 96 bits per digest, so that nobody finds a URI with the digest of another one. */
const DIGEST_BYTES = 12;

/** The most digests that an isolate keeps, so that a refresh seldom computes one. */
const MAX_KEPT = 1_000;

const kept = new Map<string, string>();

/** The digests of resources, by URI. */
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
  return { choosable_resources: await Promise.all(resources.map(digest)) };
}

/** Digests the requested resources that the client may ask for today. Other resources are refused anyway. */
export async function digestResources(
  requested: readonly string[],
  allowed: readonly string[],
): Promise<ResourceDigests> {
  const known = requested.filter((uri) => allowed.includes(uri));
  const pairs = known.map(async (uri) => [uri, await digest(uri)] as const);
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
  return allowed.filter(
    (uri) =>
      choosable_resources?.includes(digests[uri] ?? "not requested") ?? true,
  );
}

async function digest(uri: string): Promise<string> {
  const known = kept.get(uri);
  if (known !== undefined) return known;
  const bytes = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(uri),
  );
  const made = base64url.encode(new Uint8Array(bytes, 0, DIGEST_BYTES));
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(uri, made);
  return made;
}
