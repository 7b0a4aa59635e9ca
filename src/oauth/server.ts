import type {
  JwkSet,
  SigningKey,
  TokenKeys,
  VerificationKeys,
} from "./keys.ts";
import type {
  ClientRepository,
  FamilyRepository,
  ScopeRepository,
} from "./repositories.ts";
import type { Settings } from "./settings.ts";
import type { LeagueTokenReader, LeagueTokenRepository } from "./takeover.ts";

/** Everything that answering a request needs: settings, keys and ports, all of them ready. */
export interface Server {
  settings: Settings;
  signingKey: SigningKey;
  jwks: JwkSet;
  verificationKeys: VerificationKeys;
  tokenKeys: TokenKeys;
  clients: ClientRepository;
  scopes: ScopeRepository;
  families: FamilyRepository;
  leagueTokens: LeagueTokenRepository;
  /** Undefined: no tokens of an old server are taken. */
  league: LeagueTokenReader | undefined;
}
