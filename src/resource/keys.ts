import {
  createLocalJWKSet,
  errors,
  type JWTVerifyGetKey,
  type LocalJWKSet,
} from "jose";
import { fetchJson } from "./fetch-json.ts";
import type { ResourceOptions } from "./options.ts";
import { passed, within } from "./time.ts";
import { wellKnown } from "./uri.ts";

/** The age from which the keys are fetched again, in milliseconds: Baton's `Cache-Control`. */
const FRESH_MS = 5 * 60_000;
/** The age up to which the keys are good while Baton does not answer, in milliseconds. */
const STALE_MS = 60 * 60_000;
/** The time that a request with good keys waits for newer ones, in milliseconds. A healthy Baton needs some 50. */
const WAIT_MS = 500;
/** The shortest time between two fetches while the keys are good, in milliseconds. */
const REFRESH_PAUSE_MS = 60_000;
/** The shortest time between two fetches that a token needs, in milliseconds, whatever key ids are presented. */
const PAUSE_MS = 5_000;
/** The time between two looks for the result of another request's fetch, in milliseconds. */
const LOOK_MS = 50;
/** The time that one fetch of metadata and keys may take, in milliseconds. */
const FETCH_MS = 5_000;
/** The age from which a fetch without a result is given up, in milliseconds, because its request was cancelled. */
const CANCELLED_MS = FETCH_MS + 1_000;
/** More keys than Baton ever publishes. */
const MAX_KEYS = 100;

/** The keys cannot be fetched. Those that are known are too old, or lack the key of the token. */
export class KeysUnavailable extends Error {}

/** The public keys of Baton, kept in the memory of the isolate. They are fetched when the first token arrives. */
export class KeySet {
  readonly #options: ResourceOptions;
  #keys: { find: LocalJWKSet; fetchedAt: number } | undefined;
  /** The address of the keys. Undefined: the metadata must be read first. */
  #jwksUri: string | undefined;
  /** The beginning of the last fetch. Milliseconds since 1970. */
  #startedAt = 0;
  #isFetching = false;
  /** The end of the pause after the last fetch. Milliseconds since 1970. */
  #pauseUntil = 0;

  constructor(options: ResourceOptions) {
    this.#options = options;
    this.#jwksUri = options.jwks_uri;
  }

  /**
   * Finds the key of a JWT. An unknown one has the keys fetched again, because Baton may have a new one.
   *
   * @throws KeysUnavailable if Baton does not answer, and nobody can tell whether it has the key
   * @throws JWKSNoMatchingKey if Baton has no such key
   */
  readonly find: JWTVerifyGetKey = async (header, jws) => {
    const age = Date.now() - (this.#keys?.fetchedAt ?? 0);
    if (age >= STALE_MS) await this.#fetchOnce();
    else if (age >= FRESH_MS) await this.#refresh();
    try {
      return await this.#known()(header, jws);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#fetchOnce();
      return this.#newest()(header, jws);
    }
  };

  #known(): LocalJWKSet {
    if (!this.#keys || Date.now() - this.#keys.fetchedAt >= STALE_MS)
      throw new KeysUnavailable("the keys cannot be fetched");
    return this.#keys.find;
  }

  /** The keys of the last fetch. @throws KeysUnavailable if it failed */
  #newest(): LocalJWKSet {
    if (!this.#keys || this.#keys.fetchedAt < this.#startedAt)
      throw new KeysUnavailable("the keys cannot be fetched");
    return this.#keys.find;
  }

  /**
   * Fetches newer keys while the known ones are good. With `wait_until`, no request waits for them. Without it, the request
   * that fetches waits for a moment, because a Worker drops the fetch when it has answered. Other requests do not wait.
   */
  async #refresh(): Promise<void> {
    if (Date.now() < this.#startedAt + REFRESH_PAUSE_MS) return;
    const fetched = this.#fetch();
    if (this.#options.wait_until) return;
    await within(WAIT_MS, fetched);
    // Nobody waits for the fetch from now on, because it may be dropped with this request.
    this.#isFetching = false;
  }

  /**
   * Fetches the keys, unless they were fetched a moment ago. While one request fetches, the others wait. They do not
   * await its promise, because a Worker ends a promise of a request with that request.
   */
  async #fetchOnce(): Promise<void> {
    while (this.#isFetching && Date.now() < this.#startedAt + CANCELLED_MS)
      await passed(LOOK_MS);
    if (Date.now() >= this.#pauseUntil) await this.#fetch();
  }

  /** Fetches the keys. It does not throw: if it fails, the keys stay as they were. */
  #fetch(): Promise<void> {
    this.#startedAt = Date.now();
    this.#isFetching = true;
    const fetched = this.#replaceKeys();
    try {
      this.#options.wait_until?.(fetched);
    } catch (error) {
      console.error(`wait_until: ${String(error)}`);
    }
    return fetched;
  }

  async #replaceKeys(): Promise<void> {
    try {
      const find = createLocalJWKSet(await this.#read());
      this.#keys = { find, fetchedAt: Date.now() };
    } catch (error) {
      // The address may have changed.
      this.#jwksUri = this.#options.jwks_uri;
      console.error(`The keys of ${this.#options.issuer}: ${String(error)}`);
    } finally {
      this.#isFetching = false;
      this.#pauseUntil = Date.now() + PAUSE_MS;
    }
  }

  async #read() {
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
