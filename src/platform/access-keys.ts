import * as base64url from "jose/base64url";
import * as v from "valibot";
import type { AccessVerifier } from "../oauth/administration.ts";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../oauth/duration.ts";
import { OAuthError } from "../oauth/errors.ts";
import { logEvent } from "../oauth/events.ts";
import { parse } from "../oauth/schema.ts";
import type { AccessSettings } from "../oauth/settings.ts";

/** The age from which the keys are fetched again, in milliseconds. Access keeps a replaced key for a week. */
const FRESH_MS = 10 * 60_000;
/** The age up to which the keys are good while Access does not answer, in milliseconds. */
const STALE_MS = 60 * 60_000;
/** The shortest time between two fetches, in milliseconds, whatever key ids are presented. */
const PAUSE_MS = 5_000;
/** The time that one fetch may take, in milliseconds. */
const FETCH_MS = 3_000;
/** The time between two looks for the result of another request's fetch, in milliseconds. */
const LOOK_MS = 50;
/** The largest answer. Access sends two keys and their certificates: some 5,000 characters. */
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_KEYS = 20;
/** The longest JWT. It is in a header, and holds the claims of the identity provider. */
const MAX_JWT_LENGTH = 16_384;

/** RS256 is what Access signs with (RFC 7518 section 3.3). */
const ALGORITHM = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

const name = v.optional(v.string());
/** The lists have other entries too, which are passed over. */
const jwks = v.object({ keys: v.array(v.unknown()) });
const rsaKey = v.object({
  kid: v.string(),
  kty: v.literal("RSA"),
  n: v.string(),
  e: v.string(),
});
const header = v.object({
  alg: v.literal("RS256"),
  kid: v.string(),
  /** RFC 7515 section 4.1.11: what is critical would have to be understood, and nothing of it is. */
  crit: v.optional(v.never()),
});
const time = v.pipe(v.number(), v.finite());
const claims = v.object({
  iss: v.string(),
  aud: v.union([v.string(), v.array(v.string())]),
  exp: time,
  nbf: v.optional(time),
  email: name,
  common_name: name,
});

interface Keys {
  byId: ReadonlyMap<string, CryptoKey>;
  /** In milliseconds since 1970. */
  fetchedAt: number;
}

/**
 * Verifies the JWTs that Cloudflare Access sends with each request
 * (https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json/).
 * The keys are fetched from the team's domain when the first JWT arrives, and kept in the isolate.
 */
export class AccessKeys implements AccessVerifier {
  readonly #settings: AccessSettings;
  #keys: Keys | undefined;
  /** A request fetches the keys until then at the latest. Milliseconds since 1970. */
  #fetchingUntil = 0;
  /** No request fetches the keys before then. Milliseconds since 1970. */
  #pauseUntil = 0;

  constructor(settings: AccessSettings) {
    this.#settings = settings;
  }

  async verify(jwt: string, now: Seconds): Promise<string | undefined> {
    if (jwt.length > MAX_JWT_LENGTH) return undefined;
    const [head = "", payload = "", signature = "", ...rest] = jwt.split(".");
    const { data: protectedHeader } = parse(header, decodeJson(head));
    const { data: claimed } = parse(claims, decodeJson(payload));
    const bytes = decode(signature);
    // What cannot be valid is refused before the keys are fetched for it.
    if (rest.length > 0 || !protectedHeader || !claimed || !bytes)
      return undefined;
    if (!this.#isForUs(claimed, now)) return undefined;
    const key = await this.#keyOf(protectedHeader.kid);
    if (!key) return undefined;
    const signed = new TextEncoder().encode(`${head}.${payload}`);
    const isGenuine = await crypto.subtle.verify(ALGORITHM, key, bytes, signed);
    // A service token has a common name and an empty email address, or none.
    return isGenuine
      ? claimed.email || claimed.common_name || undefined
      : undefined;
  }

  #isForUs(
    { iss, aud, exp, nbf = 0 }: v.InferOutput<typeof claims>,
    now: Seconds,
  ): boolean {
    return (
      iss === `https://${this.#settings.team_domain}` &&
      [aud].flat().includes(this.#settings.aud) &&
      now < exp &&
      nbf <= now + CLOCK_SKEW_SECONDS
    );
  }

  /**
   * Finds a key. An unknown id has the keys fetched again, because Access may have a new one.
   *
   * @throws OAuthError `access_keys_unavailable`
   */
  async #keyOf(kid: string): Promise<CryptoKey | undefined> {
    const age = () => Date.now() - (this.#keys?.fetchedAt ?? 0);
    const known = this.#keys?.byId.get(kid);
    if (known && age() < FRESH_MS) return known;
    await this.#fetchOnce();
    if (!this.#keys || age() >= STALE_MS)
      throw new OAuthError("access_keys_unavailable", {
        headers: { "Retry-After": String(PAUSE_MS / 1000) },
      });
    return this.#keys.byId.get(kid);
  }

  /**
   * Fetches the keys, unless they were fetched a moment ago. While one request fetches, the others wait. They do not
   * await its promise, because Workers do not let one request await a promise of another.
   */
  async #fetchOnce(): Promise<void> {
    if (Date.now() < this.#fetchingUntil) {
      const before = this.#keys;
      while (Date.now() < this.#fetchingUntil && this.#keys === before)
        await scheduler.wait(LOOK_MS);
      return;
    }
    if (Date.now() < this.#pauseUntil) return;
    this.#fetchingUntil = Date.now() + FETCH_MS;
    try {
      this.#keys = await this.#fetch();
    } catch (error) {
      logEvent("access_keys.unreachable", { error: String(error) });
    } finally {
      this.#fetchingUntil = 0;
      this.#pauseUntil = Date.now() + PAUSE_MS;
    }
  }

  async #fetch(): Promise<Keys> {
    const url = `https://${this.#settings.team_domain}/cdn-cgi/access/certs`;
    const response = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(FETCH_MS),
    });
    if (response.status !== 200)
      throw new Error(`the keys' address answered ${response.status}`);
    const { data } = parse(jwks, JSON.parse(await textOf(response)));
    const byId = new Map<string, CryptoKey>();
    for (const entry of data?.keys.slice(0, MAX_KEYS) ?? []) {
      const { data: jwk } = parse(rsaKey, entry);
      const key = jwk && (await importKey(jwk));
      if (key) byId.set(jwk.kid, key);
    }
    if (byId.size === 0) throw new Error("the answer has no key for RS256");
    return { byId, fetchedAt: Date.now() };
  }
}

/** Returns undefined for a key that WebCrypto refuses. The others are good nevertheless. */
function importKey({
  kty,
  n,
  e,
}: v.InferOutput<typeof rsaKey>): Promise<CryptoKey | undefined> {
  return crypto.subtle
    .importKey("jwk", { kty, n, e }, ALGORITHM, false, ["verify"])
    .catch(() => undefined);
}

/** Reads a body of bounded size. @throws Error if it is larger */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error("the answer is too large");
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

function decodeJson(part: string): unknown {
  const bytes = decode(part);
  try {
    return bytes && JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function decode(part: string): Uint8Array | undefined {
  if (!/^[\w-]+$/.test(part)) return undefined;
  try {
    return base64url.decode(part);
  } catch {
    return undefined;
  }
}
