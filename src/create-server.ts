import { loadConfiguration, loadSigningKeys } from "./config.ts";
import type { PlainHttpRule } from "./config/urls.ts";
import { LeagueTokenReader } from "./league/reader.ts";
import { leagueTokenKind } from "./league/token-kind.ts";
import { LeagueTokenRepository } from "./league/token-repository.ts";
import type { Administration } from "./oauth/administration.ts";
import type { Seconds } from "./oauth/duration.ts";
import { EventThrottle } from "./oauth/event-throttle.ts";
import type { AuditEvent } from "./oauth/events.ts";
import { GuessLimit } from "./oauth/guess-limit.ts";
import type { ClientKeyFinder } from "./oauth/client-key-finder.ts";
import type { RegistrationQuota } from "./oauth/repositories.ts";
import type { UsedAssertions } from "./oauth/used-assertions.ts";
import type { EarlyServer, Server } from "./oauth/server.ts";
import type { ClientIdentity } from "./oauth/login-attributes.ts";
import { cataloguesSeenByClients } from "./oauth/catalogues-seen-by-clients.ts";
import type { EndedLogin } from "./oauth/openid/logout-token.ts";
import {
  type DocumentReader,
  SelfRegisteredClients,
} from "./oauth/self-registration/client-repository.ts";
import type { AccessSettings, Settings } from "./oauth/settings.ts";
import { idTokenKind } from "./oauth/tokens/id-token-kind.ts";
import { accessTokenKind, refreshTokenKind } from "./oauth/tokens/own-kinds.ts";
import { KvCatalogues } from "./platform/catalogues.ts";
import { KvClientRepository } from "./platform/client-repository.ts";
import {
  postBatch,
  sendEvents,
  writeDataPoint,
} from "./platform/event-delivery.ts";
import { sendStorageCalls } from "./platform/event-loop.ts";
import { DurableFamilyRepository } from "./platform/family-repository.ts";
import { BoundRefreshHook, refreshHookIn } from "./platform/refresh-hook.ts";
import type { TellClient } from "./platform/token-family.ts";

export type { AuditEvent };

/*
 * The isolate's servers, one for each set of bindings. Finished servers are kept and not promises of them,
 * because Workers do not let one request await a promise of another.
 */
const earlyServers = new WeakMap<Env, EarlyServer>();
const servers = new WeakMap<Env, Server>();

/**
 * Makes the server of a set of bindings, for HTTP and for RPC, and keeps it.
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
  const early = await createEarlyServer(env, mayBePlain);
  await sendStorageCalls();
  const parts = { ...early, ...(await loadSigningKeys(env, secondsNow())) };
  const otherKinds = [...early.tokenKinds, idTokenKind(parts)];
  const tokenKinds = [...otherKinds, accessTokenKind(parts, otherKinds)];
  return keepFirst(servers, env, { ...parts, tokenKinds });
}

/**
 * Makes the part of the server that is ready first, and keeps it.
 *
 * @param mayBePlain left out: ISSUER and LOGIN_URL use plain http on a loopback address only
 * @throws OAuthError `configuration_malformed`, but not for PRIVATE_KEY alone
 */
export async function createEarlyServer(
  env: Env,
  mayBePlain?: PlainHttpRule,
): Promise<EarlyServer> {
  const known = earlyServers.get(env);
  if (known) return known;
  const { leagueKey, ...rest } = await loadConfiguration(
    env,
    secondsNow(),
    mayBePlain,
  );
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
  const catalogues = new KvCatalogues(env.KV, env.KV_RECORD_WRITER);
  const bound = refreshHookIn(env);
  const { refresh_hook } = rest.settings;
  const parts = {
    ...rest,
    ...(bound &&
      refresh_hook && {
        refreshHook: new BoundRefreshHook(bound, refresh_hook.timeout_ms),
      }),
    guesses,
    eventThrottle: new EventThrottle(),
    clients: new SelfRegisteredClients(
      new KvClientRepository(env.KV, env.KV_RECORD_WRITER),
      async (how) => (await catalogues[how]()).resources,
      rest.settings.metadata_documents && documentsOf(rest.settings, guesses),
    ),
    ...cataloguesSeenByClients(rest.settings, catalogues),
    families: new DurableFamilyRepository(env.TOKEN_FAMILY, env.SUBJECT_INDEX),
    takeover: leagueTokens,
    clientKeys: clientKeysOf(rest.settings, guesses),
    usedAssertions: usedAssertionsOf(env),
    registrationQuota: registrationQuotaOf(env),
    administration: administrationOf(env, rest.settings.access),
  };
  const tokenKinds = [refreshTokenKind(parts)];
  if (leagueKey) {
    const reader = new LeagueTokenReader(leagueKey, guesses);
    tokenKinds.push(leagueTokenKind(parts, reader, leagueTokens));
  }
  return keepFirst(earlyServers, env, { ...parts, tokenKinds });
}

function secondsNow(): Seconds {
  return Math.floor(Date.now() / 1000);
}

/** Makes the function that loads, and then keeps, what reads metadata documents. An isolate has one, and so one cache. */
function documentsOf(
  settings: Settings,
  guesses: GuessLimit,
): () => Promise<DocumentReader> {
  let made: DocumentReader | undefined;
  return async () => {
    if (made) return made;
    const { MetadataDocuments } =
      await import("./platform/metadata-documents.ts");
    return (made ??= new MetadataDocuments(settings, guesses));
  };
}

/** Makes the function that loads, and then keeps, what fetches the keys of clients. An isolate has one, and so one cache. */
function clientKeysOf(
  settings: Settings,
  guesses: GuessLimit,
): () => Promise<ClientKeyFinder> {
  let made: ClientKeyFinder | undefined;
  return async () => {
    if (made) return made;
    const { FetchedClientKeys } = await import("./platform/client-keys.ts");
    return (made ??= new FetchedClientKeys(settings, guesses));
  };
}

/** Makes the function that loads, and then keeps, what makes assertions single use. */
function usedAssertionsOf(env: Env): () => Promise<UsedAssertions> {
  let made: UsedAssertions | undefined;
  return async () => {
    if (made) return made;
    const { BoundUsedAssertions } =
      await import("./platform/used-assertions.ts");
    return (made ??= new BoundUsedAssertions(env));
  };
}

/** Makes the function that loads, and then keeps, what only dynamic registration needs. */
function registrationQuotaOf(env: Env): () => Promise<RegistrationQuota> {
  let made: RegistrationQuota | undefined;
  return async () => {
    if (made) return made;
    const { BoundRegistrationQuota } =
      await import("./platform/registration-quota.ts");
    return (made ??= new BoundRegistrationQuota(env));
  };
}

/** Makes the function that loads, and then keeps, what only the admin API needs. */
function administrationOf(
  env: Env,
  access: AccessSettings | undefined,
): () => Promise<Administration> {
  let made: Administration | undefined;
  return async () => {
    if (made) return made;
    const { makeAdministration } = await import("./platform/administration.ts");
    return (made ??= makeAdministration(env, access));
  };
}

/**
 * Posts the events of the queue to the webhook, where `wrangler.toml` makes this Worker the consumer of its queue.
 *
 * @param findServer `createEarlyServer` with the bindings of the Worker
 */
export function consumeEvents(
  batch: MessageBatch<AuditEvent>,
  findServer: () => Promise<EarlyServer>,
): Promise<void> {
  return postBatch(batch, async () => (await findServer()).settings.webhook);
}

/**
 * Tells the client of a login that it has ended (`TokenFamily.tellClient`). It is loaded when a login of OpenID Connect
 * ends.
 *
 * @param mayBePlain as of `createServer`
 */
export async function tellClient(
  env: Env,
  login: EndedLogin & ClientIdentity,
  mayBePlain?: PlainHttpRule,
): ReturnType<TellClient> {
  const { postLogout } = await import("./platform/logout-delivery.ts");
  return postLogout(await createServer(env, mayBePlain), login);
}

/** Sends what leaves a server beside its answers, where the bindings have a place for it. */
export const outlets = { sendEvents, writeDataPoint };

/**
 * Keeps a server, unless another request has made one meanwhile. An isolate must have one, because each keeps its
 * own copies of the records.
 */
function keepFirst<T>(kept: WeakMap<Env, T>, env: Env, made: T): T {
  const madeMeanwhile = kept.get(env);
  if (madeMeanwhile) return madeMeanwhile;
  kept.set(env, made);
  return made;
}
