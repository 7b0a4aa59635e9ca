import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { countingBindings } from "../support/counting.ts";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { leagueServer, oldToken, takeOver } from "../support/league.ts";
import { atHash, type OpenIdTokens, verifyIdToken } from "../support/openid.ts";
import { grantOf, proving } from "../support/proving.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/** Tests refreshes by a client that proves a key (RFC 9449 section 5), and what they cost. */

let app: { client_id: string };
let site: TestClient;
let key: ProofKey;
let otherKey: ProofKey;

beforeAll(async () => {
  await server.makeScopes("openid");
  const scope = "openid";
  app = await server.makeClient({ scope, token_endpoint_auth_method: "none" });
  site = await server.makeClient({ scope });
  key = await makeProofKey();
  otherKey = await makeProofKey();
});

afterEach(() => {
  vi.restoreAllMocks();
});

const proofMissing = [400, "invalid_dpop_proof", "refresh_token_proof_missing"];
const ofAnotherKey = [400, "invalid_grant", "refresh_token_of_another_key"];

/** Starts a login of the app that is bound to the key. */
const boundLogin = (more: Record<string, unknown> = {}) =>
  server.login(app, { dpop_jkt: key.jkt, ...more });

/** Expects an access token that is bound to a key. */
function expectBound({ token_type, access_token }: Tokens, { jkt }: ProofKey) {
  expect(token_type).toBe("DPoP");
  expect(decodeJwt(access_token).cnf).toEqual({ jkt });
}

describe("a refresh token of a public client that is bound to a key", () => {
  it("leads to bound tokens, again and again, with the same key", async () => {
    const of = proving(key);
    const first = await boundLogin();
    const second = await of.expectRefresh(app, first.refresh_token);
    expectBound(second, key);
    expectBound(await of.expectRefresh(app, second.refresh_token), key);
  });

  it("is refused without a proof, and with another key, and stays good", async () => {
    const { refresh_token } = await boundLogin();
    expect(await refusal(await server.refresh(app, refresh_token))).toEqual(
      proofMissing,
    );
    expect(
      await refusal(await proving(otherKey).refresh(app, refresh_token)),
    ).toEqual(ofAnotherKey);
    expectBound(await proving(key).expectRefresh(app, refresh_token), key);
  });

  it("leads to an ID token, with the hash of the bound access token", async () => {
    const { refresh_token } = await boundLogin({ scope: "openid" });
    const tokens = await proving(key).expectRefresh(app, refresh_token);
    const claims = await verifyIdToken(tokens as OpenIdTokens, app);
    expect(claims["at_hash"]).toBe(
      await atHash(tokens.access_token, "SHA-256"),
    );
    expect(claims).not.toHaveProperty("cnf");
  });

  it("that comes 50 times at once with fresh proofs leads each time to the one current token", async () => {
    const { refresh_token } = await boundLogin();
    const of = proving(key);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => of.expectRefresh(app, refresh_token)),
    );
    const successors = new Set(answers.map((answer) => answer.refresh_token));
    expect(successors.size).toBe(1);
    expect(await grantOf(answers[0]!)).toMatchObject({ generation: 2 });
    for (const answer of answers) expectBound(answer, key);
  });
});

describe("a bearer refresh token", () => {
  it("of a public client is bound by its first refresh with a proof", async () => {
    const { refresh_token } = await server.login(app);
    const tokens = await proving(key).expectRefresh(app, refresh_token);
    expectBound(tokens, key);
    expect(await grantOf(tokens)).toMatchObject({ cnf: { jkt: key.jkt } });
    expect(
      await refusal(await server.refresh(app, tokens.refresh_token)),
    ).toEqual(proofMissing);
    await proving(key).expectRefresh(app, tokens.refresh_token);
  });

  it("of a confidential client is never bound: each access token is bound to what its request proves", async () => {
    const first = await server.login(site, { dpop_jkt: key.jkt });
    const second = await server.expectRefresh(site, first.refresh_token);
    expect(second.token_type).toBe("Bearer");
    expect(decodeJwt(second.access_token)).not.toHaveProperty("cnf");
    const of = proving(otherKey);
    const third = await of.expectRefresh(site, second.refresh_token);
    expectBound(third, otherKey);
    expect(await grantOf(third)).not.toHaveProperty("cnf");
  });

  it("is refused without a proof if the client's tokens are always bound, and stays good", async () => {
    const strict = await server.makeClient({ dpop_bound_access_tokens: true });
    const { refresh_token } = await server.login(strict, {
      dpop_jkt: key.jkt,
    });
    expect(await refusal(await server.refresh(strict, refresh_token))).toEqual([
      400,
      "invalid_dpop_proof",
      "dpop_proof_missing",
    ]);
    expectBound(await proving(key).expectRefresh(strict, refresh_token), key);
  });
});

describe("a league token of a public client", () => {
  it("is bound by its exchange with a proof, from its first successor on", async () => {
    const old = leagueServer("defuse");
    const client_id = crypto.randomUUID();
    await takeOver(old, client_id, { token_endpoint_auth_method: "none" });
    const token = await oldToken({ client_id, user_id: crypto.randomUUID() });
    const of = proving(key, old);
    const tokens = await of.expectRefresh({ client_id }, token);
    expectBound(tokens, key);
    expect(
      await refusal(await old.refresh({ client_id }, tokens.refresh_token)),
    ).toEqual(proofMissing);
    expectBound(
      await of.expectRefresh({ client_id }, tokens.refresh_token),
      key,
    );
  });
});

describe("the cost of a refresh with a DPoP proof", () => {
  /** Counts what the second refresh of a login costs. */
  async function costOf(
    dpop_jkt: string | undefined,
    at: (counted: TestServer) => TestServer,
  ) {
    const { calls, bindings } = countingBindings();
    const counted = at(serverWith(bindings));
    const known = await familyIds();
    const login = { ...(dpop_jkt !== undefined && { dpop_jkt }) };
    const first = await server.login(app, login);
    const [id] = [...(await familyIds())].filter((one) => !known.has(one));
    const { refresh_token } = await counted.expectRefresh(
      app,
      first.refresh_token,
    );
    const before = { ...calls, rows: await rowsWritten(id!) };
    const verify = vi.spyOn(crypto.subtle, "verify");
    await counted.expectRefresh(app, refresh_token);
    const verified = verify.mock.calls.length;
    verify.mockRestore();
    return {
      family: calls.family - before.family,
      kvRead: calls.kvRead - before.kvRead,
      kvWrite: calls.kvWrite - before.kvWrite,
      rows: (await rowsWritten(id!)) - before.rows,
      verified,
    };
  }

  async function familyIds() {
    return new Set((await listDurableObjectIds(env.TOKEN_FAMILY)).map(String));
  }

  /** SQLite counts the rows. */
  function rowsWritten(id: string): Promise<number> {
    const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.idFromString(id));
    return runInDurableObject(family, (_, { storage }) =>
      Number(storage.sql.exec("SELECT total_changes() AS n").one()["n"]),
    );
  }

  it("is that of one without, and the verification of the proof: nothing is stored", async () => {
    const without = await costOf(undefined, (counted) => counted);
    expect(without).toMatchObject({
      family: 1,
      kvRead: 0,
      kvWrite: 0,
      rows: 1,
    });
    const proven = await costOf(key.jkt, (counted) => proving(key, counted));
    const verified = without.verified + 1;
    expect(proven).toEqual({ ...without, verified });
  });

  it("is one look at the login and no write if the proof is refused, because that may be a theft", async () => {
    const { calls, bindings } = countingBindings();
    const { refresh_token } = await boundLogin();
    const at = proving(key, serverWith(bindings), { htm: "GET" });
    expect(await refusal(await at.refresh(app, refresh_token))).toEqual([
      400,
      "invalid_dpop_proof",
      "dpop_proof_invalid",
    ]);
    expect(calls).toMatchObject({ family: 1, kvWrite: 0 });
  });
});
