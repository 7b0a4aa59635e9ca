import * as v from "valibot";
import type { ClientKeyFinder, FoundKeys } from "../oauth/client-key-finder.ts";
import { type ClientKey, usableKeys } from "../oauth/client-keys.ts";
import { OAuthError } from "../oauth/errors.ts";
import { logEvent } from "../oauth/events.ts";
import type { GuessLimit } from "../oauth/guess-limit.ts";
import { outgoingUriProblem } from "../oauth/outgoing-uri.ts";
import { parse } from "../oauth/schema.ts";
import { USABLE_MS } from "../oauth/self-registration/freshness.ts";
import type { Settings } from "../oauth/settings.ts";
import { FETCH_MS, type Unread } from "./fetch-document.ts";
import {
  type Copy,
  FetchedDocuments,
  isFresh,
  isNew,
} from "./fetched-documents.ts";

/** A key with a chain of certificates has some 5 KiB. The 300 sets that an isolate keeps have at most 19 MiB together. */
const MAX_BYTES = 64 * 1024;

/** The keys themselves are read one by one, so that one that cannot be used keeps no other out. */
const keySet = v.object({ keys: v.optional(v.unknown()) });

/** Fetches the keys of clients that keep them at a URL. */
export class FetchedClientKeys implements ClientKeyFinder {
  readonly #issuer: string;
  readonly #sets: FetchedDocuments<readonly ClientKey[]>;

  constructor({ issuer }: Settings, guesses: GuessLimit) {
    this.#issuer = issuer;
    const { origin } = new URL(issuer);
    const rules = {
      accept: "application/jwk-set+json, application/json",
      maxBytes: MAX_BYTES,
      // Some sites serve every file as text.
      anyType: true,
      isOwn: (uri: string) => new URL(uri).origin === origin,
      read: (_: string, text: string) => readKeys(text),
      note,
    };
    this.#sets = new FetchedDocuments(rules, guesses);
  }

  find(uri: string, network: string): Promise<FoundKeys> {
    return this.#readUnless(isFresh, uri, network);
  }

  findAgain(uri: string, network: string): Promise<FoundKeys> {
    return this.#readUnless(isNew, uri, network);
  }

  async #readUnless(
    isGood: (copy: Copy<readonly ClientKey[]>) => boolean,
    uri: string,
    network: string,
  ): Promise<FoundKeys> {
    if (outgoingUriProblem(uri, this.#issuer) !== undefined)
      return { refused: "client_keys_invalid" };
    const result = await this.#sets.readUnless(isGood, uri, network);
    if (!("unread" in result)) return result.content;
    if (result.unread === "invalid") return { refused: "client_keys_invalid" };
    // A site that is down keeps nobody out whose keys are known.
    const copy = this.#sets.peek(uri);
    if (copy && isUsable(copy)) return copy.content;
    throw new OAuthError("client_keys_unreachable", {
      headers: { "Retry-After": String(FETCH_MS / 1000) },
    });
  }
}

/** Reads a JWK set (RFC 7517 section 5). */
function readKeys(text: string): readonly ClientKey[] | string {
  const { data } = parse(keySet, parseJson(text));
  if (!data) return "it must be a JWK set in JSON";
  const usable = usableKeys(data, "kept");
  return typeof usable === "string" ? `it ${usable}` : usable.keys;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not an object either, so the schema refuses it.
    return undefined;
  }
}

function isUsable({ readAt }: Copy<readonly ClientKey[]>): boolean {
  return Date.now() < readAt + USABLE_MS;
}

/** The query is left out, because it may have a secret. */
function note(uri: string, { unread, problem }: Unread): void {
  const jwks_uri = uri.replace(/\?.*$/s, "?…");
  const reason = `client_keys_${unread}` as const;
  logEvent("client_keys.refused", { jwks_uri, reason, problem });
}
