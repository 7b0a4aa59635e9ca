import type { Seconds } from "./duration.ts";
import type { Problem } from "./errors.ts";
import type { ClientIdentity } from "./login-attributes.ts";

/** Makes client assertions single use (RFC 7523 section 3, `jti`), where what they are used for is not by itself. */
export interface UsedAssertions {
  /**
   * Uses an assertion up.
   *
   * @throws OAuthError `client_assertion_used`, or `storage_unavailable`: it is not used up then
   */
  take(
    client: ClientIdentity,
    assertion: { jti: string; expires_at: Seconds },
  ): Promise<void>;
  /** Lists the binding, if it is missing. */
  problems(): Problem[];
  /** Asks the storage for nothing, to see whether it answers. */
  ask(): Promise<void>;
}
