import type { ClientKey } from "./client-keys.ts";
import type { Reason } from "./errors.ts";

/** The keys of a client; or the reason why there are none. */
export type FoundKeys = readonly ClientKey[] | { refused: Reason };

/** Finds the keys of clients that keep them at a URL (`jwks_uri`). */
export interface ClientKeyFinder {
  /**
   * Returns this isolate's copy of the keys, or fetches them.
   *
   * @param network that of the request, which limits how many URLs without keys are fetched
   * @throws OAuthError `client_keys_unreachable`, `metadata_documents_limited`
   */
  find(uri: string, network: string): Promise<FoundKeys>;
  /** Fetches the keys, unless that was tried a moment ago: the client may have a new one. Throws as `find`. */
  findAgain(uri: string, network: string): Promise<FoundKeys>;
}
