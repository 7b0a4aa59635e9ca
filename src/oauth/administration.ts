import type { AdminTokenRepository } from "./admin-tokens.ts";
import type { Seconds } from "./duration.ts";
import type { Role } from "./roles.ts";

/** Somebody who is let into the admin API. */
export interface Administrator {
  /** The name in the log: `root`, `token:NAME`, `access:EMAIL` or `rpc:ENTRYPOINT`. */
  actor: string;
  /** Undefined: the person is known, and may do nothing. */
  role: Role | undefined;
}

/** Verifies the JWTs of Cloudflare Access. */
export interface AccessVerifier {
  /**
   * Verifies a JWT that Access has sent.
   *
   * @returns the person's email address, or the name of the service token; undefined if the JWT is not valid
   * @throws OAuthError `access_keys_unavailable` if the keys of Access can't be fetched
   */
  verify(jwt: string, now: Seconds): Promise<string | undefined>;
}

/** What only the admin API needs. It is loaded when somebody asks for it. */
export interface Administration {
  tokens: AdminTokenRepository;
  access: AccessVerifier;
}
