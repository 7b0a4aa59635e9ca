import type { AdminTokens } from "./admin-tokens.ts";
import type { Seconds } from "./duration.ts";
import type { Problem } from "./errors.ts";
import type { Role } from "./roles.ts";

/** Somebody who is let into the admin API. */
export interface Administrator {
  /** The name in the log: `root`, `token:NAME`, `access:EMAIL` or `rpc:ENTRYPOINT`. */
  actor: string;
  /** Undefined: the person is known, and may do nothing. */
  role: Role | undefined;
}

/** Stores the named admin tokens. */
export interface AdminTokenRepository {
  /** Finds the tokens in the isolate's own copy, which is at most a minute old. */
  find(): Promise<AdminTokens>;
  /** Finds the tokens without the isolate's own copy, at most once per second. */
  findAgain(): Promise<AdminTokens>;
  /** Reads the current record without any cache. */
  read(): Promise<AdminTokens>;
  /** Changes the record in one atomic step. `change` is called again if another change was faster. */
  update(change: (current: AdminTokens) => AdminTokens): Promise<void>;
  /** Lists what is wrong with the record. */
  problems(): Promise<Problem[]>;
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
