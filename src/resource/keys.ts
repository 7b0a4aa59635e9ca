import {
  createLocalJWKSet,
  errors,
  type JWTVerifyGetKey,
  type LocalJWKSet,
} from "jose";
import { fetchJson } from "./fetch-json.ts";
import type { ResourceOptions } from "./options.ts";
import { wellKnown } from "./uri.ts";

/** The age from which the keys are fetched again, in milliseconds: Baton's `Cache-Control`. */
const FRESH_MS = 5 * 60_000;
/** The age up to which the keys are good while Baton does not answer, in milliseconds. */
const STALE_MS = 60 * 60_000;
/** The shortest time between two fetches, in milliseconds, whatever key ids are presented. */
const PAUSE_MS = 5_000;
/** The time between two looks for the result of another request's fetch, in milliseconds. */
const LOOK_MS = 50;
/** The time that one fetch of metadata and keys may take, in milliseconds. */
const FETCH_MS = 5_000;
/** More keys than Baton ever publishes. */
const MAX_KEYS = 100;

/** The keys cannot be fetched, and those that are known are too old. */
export class KeysUnavailable extends Error {}

/** The public keys of Baton, kept in the memory of the isolate. They are fetched when the first token arrives. */
export class KeySet {
  readonly #options: ResourceOptions;
  #keys: { find: LocalJWKSet; fetchedAt: number } | undefined;
  /** As the metadata says. Undefined: it was not read yet. */
  #jwksUri: string | undefined;
  /** A request fetches the keys until then at the latest. Milliseconds since 1970. */
  #fetchingUntil = 0;
  /** No request fetches the keys before then. Milliseconds since 1970. */
  #pauseUntil = 0;

  constructor(options: ResourceOptions) {
    this.#options = options;
    this.#jwksUri = options.jwks_uri;
  }

  /**
   * Finds the key of a JWT. An unknown one has the keys fetched again, because Baton may have a new one.
   *
   * @throws KeysUnavailable
   * @throws JWKSNoMatchingKey if Baton has no such key
   */
  readonly find: JWTVerifyGetKey = async (header, jws) => {
    if (this.#age() >= FRESH_MS) await this.#fetchOnce();
    try {
      return await this.#known()(header, jws);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#fetchOnce();
      return this.#known()(header, jws);
    }
  };

  #age(): number {
    return Date.now() - (this.#keys?.fetchedAt ?? 0);
  }

  #known(): LocalJWKSet {
    if (!this.#keys || this.#age() >= STALE_MS)
      throw new KeysUnavailable("the keys cannot be fetched");
    return this.#keys.find;
  }

  /**
   * Fetches the keys, unless they were fetched a moment ago. While one request fetches, the others wait. They do not
   * await its promise, because Workers do not let one request await a promise of another.
   */
  async #fetchOnce(): Promise<void> {
    if (Date.now() < this.#fetchingUntil) {
      while (Date.now() < this.#fetchingUntil)
        await new Promise((done) => setTimeout(done, LOOK_MS));
      return;
    }
    if (Date.now() < this.#pauseUntil) return;
    this.#fetchingUntil = Date.now() + FETCH_MS;
    try {
      const find = createLocalJWKSet(await this.#fetch());
      this.#keys = { find, fetchedAt: Date.now() };
    } catch (error) {
      // The address may have changed.
      this.#jwksUri = this.#options.jwks_uri;
      console.error(`The keys of ${this.#options.issuer}: ${String(error)}`);
    } finally {
      this.#fetchingUntil = 0;
      this.#pauseUntil = Date.now() + PAUSE_MS;
    }
  }

  async #fetch() {
    const { fetch = globalThis.fetch.bind(globalThis) } = this.#options;
    const signal = AbortSignal.timeout(FETCH_MS);
    this.#jwksUri ??= await discover(this.#options.issuer, fetch, signal);
    const { keys } = await fetchJson(this.#jwksUri, fetch, signal);
    if (!Array.isArray(keys) || keys.length > MAX_KEYS)
      throw new Error("the answer is not a JWK set");
    return { keys };
  }
}

/** Reads the metadata of an authorization server (RFC 8414). @returns where its keys are */
async function discover(
  issuer: string,
  fetch: NonNullable<ResourceOptions["fetch"]>,
  signal: AbortSignal,
): Promise<string> {
  const url = wellKnown(issuer, "oauth-authorization-server").href;
  const metadata = await fetchJson(url, fetch, signal);
  // RFC 8414 section 3.3: the metadata of another issuer must not be used.
  if (metadata["issuer"] !== issuer)
    throw new Error(`its metadata is that of ${String(metadata["issuer"])}`);
  const { origin, protocol } = new URL(String(metadata["jwks_uri"]));
  if (protocol !== "https:" && origin !== new URL(issuer).origin)
    throw new Error("its metadata has no https URL as jwks_uri");
  return String(metadata["jwks_uri"]);
}
