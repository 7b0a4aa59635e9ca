import type { AccessTokenFormat } from "./access-token-format.ts";
import type { SigningKey, VerificationKeys } from "./access-token.ts";
import type {
  LeagueTokenReader,
  LeagueTokenRepository,
} from "./league-repositories.ts";
import type { Lifetimes } from "./lifetimes.ts";
import type {
  ClientRepository,
  FamilyRepository,
  ScopeRepository,
} from "./repositories.ts";
import type { TokenKeys } from "./token-keys.ts";

/** The configuration, parsed. */
export interface Settings extends Lifetimes {
  issuer: string;
  /** `aud` of access tokens that are for no particular resource. */
  audience: string;
  /** Of clients whose record names none. */
  access_token_format: AccessTokenFormat;
  /** The origins that browsers may call from; undefined is any. */
  cors_origins: string[] | undefined;
  /** Whether the token endpoint is at Passport's path, too. */
  passport_token_endpoint: boolean;
  /** Where people sign in; undefined: there is no authorization endpoint. */
  login_url: string | undefined;
  admin_token: string | undefined;
}

/** Public halves of the signing keys (RFC 7517 section 5). */
export interface JwkSet {
  keys: Record<string, unknown>[];
}

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
