import type { Administration } from "./administration.ts";
import type { ClientKeyFinder } from "./client-key-finder.ts";
import type { EventThrottle } from "./event-throttle.ts";
import type { GuessLimit } from "./guess-limit.ts";
import type { KeySchedule } from "./key-schedule.ts";
import type {
  JwkSet,
  SigningKey,
  TokenKey,
  TokenKeys,
  VerificationKeys,
} from "./keys.ts";
import type { RefreshHook } from "./refresh-hook.ts";
import type {
  CataloguesRepository,
  ClientRepository,
  FamilyRepository,
  RegistrationQuota,
  ResourceRepository,
  ScopeRepository,
} from "./repositories.ts";
import type { Settings } from "./settings.ts";
import type { UsedAssertions } from "./used-assertions.ts";
import type { Takeover } from "./takeover.ts";
import type { TokenKind } from "./token-kind.ts";

/** Everything that is needed to answer a request: settings, keys and storage. All of it is ready for use. */
export interface Server {
  settings: Settings;
  /** Sign, each in its time. */
  signingKeys: KeySchedule<SigningKey>;
  /** The public halves of all signing keys. */
  jwks: JwkSet;
  verificationKeys: VerificationKeys;
  /** Make tokens, each in its time. */
  tokenKeySchedule: KeySchedule<TokenKey>;
  /** All of them are accepted. */
  tokenKeys: TokenKeys;
  clients: ClientRepository;
  scopes: ScopeRepository;
  resources: ResourceRepository;
  /** Those of `scopes` and `resources` together. */
  catalogues: CataloguesRepository;
  families: FamilyRepository;
  takeover: Takeover;
  /** Left out: none is bound. */
  refreshHook?: RefreshHook;
  guesses: GuessLimit;
  eventThrottle: EventThrottle;
  /** Loads what fetches the keys of clients that keep them at a URL. */
  clientKeys: () => Promise<ClientKeyFinder>;
  /** Loads what makes assertions single use. */
  usedAssertions: () => Promise<UsedAssertions>;
  /** Loads what only dynamic registration needs. */
  registrationQuota: () => Promise<RegistrationQuota>;
  /** Loads what only the admin API needs. */
  administration: () => Promise<Administration>;
  /** Every kind of token that somebody may present. Exactly one of them recognises a token. */
  tokenKinds: readonly TokenKind[];
}

/**
 * A server whose signing keys are not ready yet: they cost the most time, and finding a client or verifying a
 * refresh token does not need them. Its `tokenKinds` are those of refresh tokens.
 */
export type EarlyServer = Omit<
  Server,
  "signingKeys" | "jwks" | "verificationKeys"
>;
