import { generateKeyPairSync, randomBytes } from "node:crypto";
import { base64url } from "jose";
import { readLeagueKey } from "../../src/league/key.ts";
import { LeagueTokenReader } from "../../src/league/reader.ts";
import type { Client } from "../../src/oauth/entities.ts";
import { EventThrottle } from "../../src/oauth/event-throttle.ts";
import { judgeClaims } from "../../src/oauth/family/claims.ts";
import { judgeExchange } from "../../src/oauth/family/exchange.ts";
import {
  type FamilyRecord,
  isEnded,
  stateOf,
  type Verdict,
} from "../../src/oauth/family/record.ts";
import {
  judgeCreation,
  judgeRedemption,
} from "../../src/oauth/family/redemption.ts";
import { judgeRevocation } from "../../src/oauth/family/revocation.ts";
import { GuessLimit } from "../../src/oauth/guess-limit.ts";
import type {
  ClientRepository,
  FamilyRepository,
  ScopeRepository,
} from "../../src/oauth/repositories.ts";
import type { Server } from "../../src/oauth/server.ts";
import { KeySchedule } from "../../src/oauth/key-schedule.ts";
import { protectedHeaders } from "../../src/oauth/signed-jwt.ts";
import {
  accessTokenKind,
  refreshTokenKind,
} from "../../src/oauth/tokens/own-kinds.ts";
import { deriveTokenKey } from "../../src/oauth/tokens/token-keys.ts";
import vectors from "../league/refresh-tokens.json" with { type: "json" };

/** A server without Cloudflare, for tests on plain Node. Its repositories keep everything in memory. */

const ISSUER = "https://auth.example.com";

export async function memoryServer(client: Client): Promise<Server> {
  const scopes = scopesWith("read", "write");
  const catalogues = async () => ({
    scopes: await scopes.catalogue(),
    resources: {},
  });
  const parts = {
    ...(await signingKeys()),
    settings: {
      issuer: ISSUER,
      audience: ISSUER,
      access_token_format: "rfc9068" as const,
      access_token_ttl: "PT1H",
      refresh_token_ttl: "P1M",
      refresh_token_max_age: "P1Y",
      refresh_token_retry_window: "PT0S",
      allowed_hosts: undefined,
      cors_origins: undefined,
      passport_token_endpoint: false,
      login_url: "https://login.example.com/",
      admin_token: undefined,
      registration_idle_ttl: "P90D",
      offline_access_required: false,
      dpop_nonce_required: false,
      client_certificates: false,
    },
    ...(await tokenKeys()),
    clients: clientsWith(client),
    scopes,
    resources: {
      catalogue: async () => ({}),
      catalogueAgain: async () => ({}),
      read: async () => ({}),
      problems: async () => [],
      update: notNeeded,
    },
    catalogues: { find: catalogues, findAgain: catalogues, read: catalogues },
    families: new MemoryFamilies(),
    guesses: memoryGuesses(),
    eventThrottle: new EventThrottle(),
    clientKeys: notNeeded,
    usedAssertions: notNeeded,
    registrationQuota: notNeeded,
    administration: notNeeded,
    takeover: {
      acceptsTokens: false,
      revoke: notNeeded,
      count: notNeeded,
      countOf: notNeeded,
    },
  };
  const refresh = refreshTokenKind(parts);
  return { ...parts, tokenKinds: [refresh, accessTokenKind(parts, [refresh])] };
}

/** Makes a reader for the league tokens of the test vectors. */
export async function memoryLeagueReader(): Promise<LeagueTokenReader> {
  return new LeagueTokenReader(
    await readLeagueKey(vectors.keys.defuse.value),
    memoryGuesses(),
  );
}

/** A limit without a platform: the isolate's own count. */
function memoryGuesses(): GuessLimit {
  const shared = { limit: async () => ({ success: true }) };
  return new GuessLimit({ perNetwork: shared, perSite: shared });
}

async function tokenKeys() {
  const key = await deriveTokenKey(randomBytes(32));
  const configured = { secret: "ENCRYPTION_KEY", kid: key.kid, maker: key };
  return { tokenKeys: [key], tokenKeySchedule: new KeySchedule([configured]) };
}

async function signingKeys() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
  });
  const ecdsa = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey(
    "pkcs8",
    privateKey.export({ type: "pkcs8", format: "der" }),
    ecdsa,
    false,
    ["sign"],
  );
  const verifies = await crypto.subtle.importKey(
    "spki",
    publicKey.export({ type: "spki", format: "der" }),
    ecdsa,
    true,
    ["verify"],
  );
  const maker = {
    key,
    parameters: { name: "ECDSA", hash: "SHA-256" },
    headers: protectedHeaders("ES256", "1"),
    signatureCharacters: 86,
  };
  return {
    signingKeys: new KeySchedule([{ secret: "PRIVATE_KEY", kid: "1", maker }]),
    jwks: { keys: [] },
    verificationKeys: new Map([["1", { alg: "ES256", key: verifies }]]),
  };
}

function clientsWith(client: Client): ClientRepository {
  const find = async (clientId: string) =>
    clientId === client.client_id ? client : undefined;
  return {
    find,
    findAgain: find,
    findForSignIn: find,
    read: find,
    isDisabled: () => false,
    list: notNeeded,
    listDeleted: notNeeded,
    update: notNeeded,
    replaceWithTombstone: notNeeded,
    survey: notNeeded,
  };
}

function scopesWith(...scopes: string[]): ScopeRepository {
  const catalogue = Object.fromEntries(
    scopes.map((scope) => [scope, { description: scope }]),
  );
  return {
    catalogue: async () => catalogue,
    catalogueAgain: async () => catalogue,
    read: async () => catalogue,
    problems: async () => [],
    update: notNeeded,
  };
}

class MemoryFamilies implements FamilyRepository {
  readonly #records = new Map<string, FamilyRecord>();

  create: FamilyRepository["create"] = async (family) => {
    const id = this.newId();
    this.#apply(id, judgeCreation(this.#read(id), family));
    return id;
  };

  newId: FamilyRepository["newId"] = () => randomBytes(32);

  redeem: FamilyRepository["redeem"] = async (id, family, redemption) =>
    this.#apply(
      id,
      judgeRedemption(this.#read(id), family, redemption, Date.now()),
    );

  exchange: FamilyRepository["exchange"] = async (id, attempt) =>
    this.#apply(id, judgeExchange(this.#read(id), attempt));

  revoke: FamilyRepository["revoke"] = async (id, key) =>
    this.#apply(id, judgeRevocation(this.#read(id), key));

  changeClaims: FamilyRepository["changeClaims"] = async (id, changes, now) =>
    this.#apply(id, judgeClaims(this.#read(id), changes, now));

  look: FamilyRepository["look"] = async (id) => {
    const record = this.#read(id);
    return record && !isEnded(record) ? stateOf(record) : undefined;
  };

  ofSubject: FamilyRepository["ofSubject"] = notNeeded;
  revokeAll: FamilyRepository["revokeAll"] = notNeeded;
  revokeSession: FamilyRepository["revokeSession"] = notNeeded;
  parseGrantId: FamilyRepository["parseGrantId"] = () => undefined;
  grantIdOf: FamilyRepository["grantIdOf"] = base64url.encode;

  #read(id: Uint8Array): FamilyRecord | undefined {
    return this.#records.get(base64url.encode(id));
  }

  #apply<Result>(id: Uint8Array, { result, record }: Verdict<Result>): Result {
    if (record) this.#records.set(base64url.encode(id), record);
    return result;
  }
}

function notNeeded(): never {
  throw new Error("these tests do not need it");
}
