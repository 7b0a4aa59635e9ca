import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  authorizationQuery,
  authorize,
  decide,
  expectTokens,
  location,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { atHash, type OpenIdTokens, verifyIdToken } from "../support/openid.ts";
import { grantOf, proving, proofOf } from "../support/proving.ts";
import { told } from "../support/refusals.ts";
import {
  countRefusals,
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/** Tests the exchange of a code by a client that proves a key (RFC 9449 sections 5 and 10). */

let app: { client_id: string };
let site: TestClient;
let key: ProofKey;
let otherKey: ProofKey;

beforeAll(async () => {
  await server.makeScopes("openid");
  const metadata = { scope: "openid" };
  const token_endpoint_auth_method = "none";
  app = await makeWebClient({ ...metadata, token_endpoint_auth_method });
  site = await makeWebClient(metadata);
  key = await makeProofKey();
  otherKey = await makeProofKey();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Redeems a code of a client with a proof of `key`. */
async function redeemed(
  client: { client_id: string },
  code: string,
  of = proving(key),
) {
  return expectTokens(await redeem(client, code, {}, of));
}

describe("a code with a DPoP proof", () => {
  it("gives an access token that is bound to the key, with the type DPoP", async () => {
    for (const client of [app, site]) {
      const tokens = await redeemed(client, await obtainCode(client));
      expect(tokens.token_type).toBe("DPoP");
      expect(decodeJwt(tokens.access_token).cnf).toEqual({ jkt: key.jkt });
    }
  });

  it("binds the login of a public client alone (section 5)", async () => {
    const bound = await redeemed(app, await obtainCode(app));
    expect(await grantOf(bound)).toMatchObject({ cnf: { jkt: key.jkt } });
    const authenticated = await redeemed(site, await obtainCode(site));
    expect(await grantOf(authenticated)).not.toHaveProperty("cnf");
  });

  it("gives an ID token with the hash of the bound access token, and without the key", async () => {
    const code = await obtainCode(app, { scope: "openid" });
    const tokens = (await redeemed(app, code)) as OpenIdTokens;
    const claims = await verifyIdToken(tokens, app);
    expect(claims["at_hash"]).toBe(
      await atHash(tokens.access_token, "SHA-256"),
    );
    expect(claims).not.toHaveProperty("cnf");
  });

  it("makes one login if it comes 50 times at once with fresh proofs", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const code = await obtainCode(app);
    const of = proving(key);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => redeem(app, code, {}, of)),
    );
    const good = answers.filter(({ ok }) => ok);
    const refused = answers.filter(({ ok }) => !ok);
    expect(good).toHaveLength(1);
    expect(await countRefusals(refused)).toEqual({
      "400 invalid_grant authorization_code_repeated": 49,
    });
    expect(await grantOf(await expectTokens(good[0]!))).toMatchObject({
      cnf: { jkt: key.jkt },
    });
  });
});

describe("a code with a proof without a nonce, where one is required", () => {
  it("stays good for the proof with the nonce of the refusal, which is good for the refresh, too", async () => {
    const strict = serverWith({ DPOP_NONCE_REQUIRED: "on" });
    const code = await obtainCode(app);
    const refused = await redeem(app, code, {}, proving(key, strict));
    const nonce = refused.headers.get("DPoP-Nonce");
    expect(await refusal(refused)).toEqual([
      400,
      "use_dpop_nonce",
      "dpop_nonce_missing",
    ]);
    const of = proving(key, strict, { nonce });
    const { refresh_token } = await redeemed(app, code, of);
    await of.expectRefresh(app, refresh_token);
  });
});

describe("a code that comes again after ten seconds", () => {
  const later = () =>
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });

  it("with another proof ends the login", async () => {
    for (const thief of [key, otherKey]) {
      vi.useRealTimers();
      const code = await obtainCode(app);
      const tokens = await redeemed(app, code);
      later();
      expect(
        await refusal(await redeem(app, code, {}, proving(thief))),
      ).toEqual([400, "invalid_grant", "authorization_code_reused"]);
      expect(await grantOf(tokens)).toBeUndefined();
    }
  });

  it("with the proof of its redemption is a request that somebody has recorded, so nothing changes", async () => {
    const code = await obtainCode(app);
    const recorded = await proofOf(key);
    const tokens = await redeemed(app, code, proving(recorded));
    later();
    for (let n = 0; n < 2; n += 1) {
      expect(
        await refusal(await redeem(app, code, {}, proving(recorded))),
      ).toEqual([400, "invalid_grant", "authorization_code_repeated"]);
    }
    expect(await grantOf(tokens)).toMatchObject({ cnf: { jkt: key.jkt } });
  });
});

describe("a code without a DPoP proof", () => {
  it("gives bearer tokens of a login that is not bound", async () => {
    const tokens = await redeemed(app, await obtainCode(app), server);
    expect(tokens.token_type).toBe("Bearer");
    expect(decodeJwt(tokens.access_token)).not.toHaveProperty("cnf");
    expect(await grantOf(tokens)).not.toHaveProperty("cnf");
  });

  it("is refused for a client whose tokens are always bound, and stays good", async () => {
    const strict = await makeWebClient({ dpop_bound_access_tokens: true });
    const code = await obtainCode(strict);
    expect(await refusal(await redeem(strict, code))).toEqual([
      400,
      "invalid_dpop_proof",
      "dpop_proof_missing",
    ]);
    const { token_type } = await redeemed(strict, code);
    expect(token_type).toBe("DPoP");
  });
});

describe("dpop_jkt of an authorization request (section 10)", () => {
  const ofAnotherKey = [
    400,
    "invalid_grant",
    "authorization_code_of_another_key",
  ];

  it("binds the code to the key: without a proof, or with another key, it is refused and stays good", async () => {
    for (const client of [app, site]) {
      const code = await obtainCode(client, { dpop_jkt: key.jkt });
      for (const at of [server, proving(otherKey)])
        expect(await refusal(await redeem(client, code, {}, at))).toEqual(
          ofAnotherKey,
        );
      const tokens = await redeemed(client, code);
      expect(decodeJwt(tokens.access_token).cnf).toEqual({ jkt: key.jkt });
    }
  });

  it("binds the login of a public client alone", async () => {
    const dpop_jkt = key.jkt;
    const bound = await redeemed(app, await obtainCode(app, { dpop_jkt }));
    expect(await grantOf(bound)).toMatchObject({ cnf: { jkt: key.jkt } });
    const code = await obtainCode(site, { dpop_jkt });
    const authenticated = await redeemed(site, code);
    expect(await grantOf(authenticated)).not.toHaveProperty("cnf");
  });

  it("does not replace PKCE", async () => {
    const code = await obtainCode(app, { dpop_jkt: key.jkt });
    const more = { code_verifier: "x".repeat(43) };
    expect(await refusal(await redeem(app, code, more, proving(key)))).toEqual([
      400,
      "invalid_grant",
      "code_verifier_wrong",
    ]);
  });

  it("is read from the body of a POST, too", async () => {
    const query = authorizationQuery(app, { dpop_jkt: key.jkt });
    const response = await server.http("/authorize", {
      method: "POST",
      redirect: "manual",
      body: new URLSearchParams(query),
    });
    const request = location(response).searchParams.get("request") ?? "";
    const code = (await decide(request)).searchParams.get("code") ?? "";
    expect(await refusal(await redeem(app, code))).toEqual(ofAnotherKey);
  });

  it("counts as left out if it is empty", async () => {
    const code = await obtainCode(app, { dpop_jkt: "" });
    const { token_type } = await redeemed(app, code, server);
    expect(token_type).toBe("Bearer");
  });

  it.each([
    ["42 characters", "A".repeat(42)],
    ["44 characters", "A".repeat(44)],
    ["another alphabet", `${"/".repeat(42)}A`],
    ["unused bits that are not zero", "B".repeat(43)],
    ["a JWK", '{"kty":"EC"}'],
  ])("is refused by redirect if it has %s", async (_what, dpop_jkt) => {
    const [answer, reason] = told(await authorize(app, { dpop_jkt }));
    expect([answer["error"], reason]).toEqual([
      "invalid_request",
      "dpop_jkt_malformed",
    ]);
  });

  it("is refused by redirect if it is sent twice", async () => {
    const twice = ["dpop_jkt", key.jkt];
    const [answer, reason] = told(await authorize(app, [twice, twice]));
    expect([answer["error"], reason]).toEqual([
      "invalid_request",
      "parameter_repeated",
    ]);
  });
});
