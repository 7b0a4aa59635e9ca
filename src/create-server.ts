import { loadConfiguration, type PlainHttpRule } from "./config.ts";
import { LeagueTokenReader } from "./league/reader.ts";
import { leagueTokenKind } from "./league/token-kind.ts";
import { LeagueTokenRepository } from "./league/token-repository.ts";
import { GuessLimit } from "./oauth/guess-limit.ts";
import type { Server } from "./oauth/server.ts";
import { accessTokenKind, refreshTokenKind } from "./oauth/tokens/own-kinds.ts";
import { KvClientRepository } from "./platform/client-repository.ts";
import { DurableFamilyRepository } from "./platform/family-repository.ts";
import { KvScopeRepository } from "./platform/scope-repository.ts";

/** The isolate's servers, one for each set of bindings. */
const servers = new WeakMap<Env, Server>();

/**
 * Makes the server of a set of bindings, for HTTP and for RPC, and keeps it. The finished server is kept and
 * not a promise of it, because Workers do not let one request await a promise of another.
 *
 * @param mayBePlain left out: ISSUER and LOGIN_URL use plain http on a loopback address only
 * @throws OAuthError `configuration_malformed`
 */
export async function createServer(
  env: Env,
  mayBePlain?: PlainHttpRule,
): Promise<Server> {
  const known = servers.get(env);
  if (known) return known;
  const configuration = await loadConfiguration(env, mayBePlain);
  // Another request may have made it meanwhile. An isolate must have one server, because each keeps its own
  // copies of the records.
  const madeMeanwhile = servers.get(env);
  if (madeMeanwhile) return madeMeanwhile;
  const { leagueKey, ...rest } = configuration;
  const leagueTokens = new LeagueTokenRepository(
    env.TOKEN_FAMILY,
    env.SUBJECT_INDEX,
    env.LEAGUE_LEDGER,
    leagueKey !== undefined,
  );
  const guesses = new GuessLimit({
    perNetwork: env.GUESSES_PER_NETWORK,
    perSite: env.GUESSES_PER_SITE,
  });
  const parts = {
    ...rest,
    guesses,
    clients: new KvClientRepository(env.KV, env.KV_RECORD_WRITER),
    scopes: new KvScopeRepository(env.KV, env.KV_RECORD_WRITER),
    families: new DurableFamilyRepository(env.TOKEN_FAMILY, env.SUBJECT_INDEX),
    takeover: leagueTokens,
  };
  const withPrefix = [refreshTokenKind(parts)];
  if (leagueKey) {
    const reader = new LeagueTokenReader(leagueKey, guesses);
    withPrefix.push(leagueTokenKind(parts, reader, leagueTokens));
  }
  const tokenKinds = [...withPrefix, accessTokenKind(parts, withPrefix)];
  const server = { ...parts, tokenKinds };
  servers.set(env, server);
  return server;
}
