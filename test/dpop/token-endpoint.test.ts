import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { expectTokens, makeWebClient } from "../support/authorization.ts";
import { bindingsWithoutObjects } from "../support/counting.ts";
import { makeProofKey, proof, type ProofKey } from "../support/dpop.ts";
import { proofOf, proving } from "../support/proving.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/** Tests DPoP at the token endpoint, for what all grants share and for the client credentials grant. */

let client: TestClient;
let key: ProofKey;

beforeAll(async () => {
  client = await server.makeClient({ grant_types: ["client_credentials"] });
  key = await makeProofKey();
});

const proofInvalid = [400, "invalid_dpop_proof", "dpop_proof_invalid"];
const proofMissing = [400, "invalid_dpop_proof", "dpop_proof_missing"];

function ask(
  of = proving(key),
  { client_id, client_secret }: TestClient = client,
  more: Record<string, string> = {},
): Promise<Response> {
  const grant_type = "client_credentials";
  return of.token({ grant_type, client_id, client_secret, ...more });
}

describe("the client credentials grant with a DPoP proof", () => {
  it("gives an access token that is bound to the key, and stores nothing", async () => {
    const { calls, bindings } = bindingsWithoutObjects();
    const counted = proving(key, serverWith(bindings));
    const tokens = await expectTokens(await ask(counted));
    expect(tokens.token_type).toBe("DPoP");
    expect(decodeJwt(tokens.access_token).cnf).toEqual({ jkt: key.jkt });
    expect(calls).toMatchObject({ family: 0, kvWrite: 0 });
  });

  it("works with the key of every request anew", async () => {
    const other = await makeProofKey("Ed25519");
    const { access_token } = await expectTokens(await ask(proving(other)));
    expect(decodeJwt(access_token).cnf).toEqual({ jkt: other.jkt });
  });

  it("is refused without a proof if the client's tokens are always bound", async () => {
    const strict = await server.makeClient({
      grant_types: ["client_credentials"],
      dpop_bound_access_tokens: true,
    });
    expect(await refusal(await ask(server, strict))).toEqual(proofMissing);
    const { token_type } = await expectTokens(await ask(proving(key), strict));
    expect(token_type).toBe("DPoP");
  });
});

describe("a proof for another request", () => {
  it.each([
    ["another path", { htu: `${ISSUER}/revoke` }],
    ["another server", { htu: "https://other.example.com/access_token" }],
    ["another method", { htm: "GET" }],
  ])("is refused: %s", async (_what, claims) => {
    const of = proving(key, server, claims);
    expect(await refusal(await ask(of))).toEqual(proofInvalid);
  });
});

describe("a proof that is not good", () => {
  const bad = "x".repeat(12_000);

  it("is refused after the client: wrong secret, unknown client, grant type that it may not use", async () => {
    const of = proving(bad);
    const refused = (id: TestClient) => ask(of, id).then(refusal);
    expect(await refused({ ...client, client_secret: "wrong" })).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    expect(await refused({ ...client, client_id: "nobody" })).toEqual([
      401,
      "invalid_client",
      "client_unknown",
    ]);
    expect(await refused(await makeWebClient())).toEqual([
      400,
      "unauthorized_client",
      "grant_type_not_allowed",
    ]);
  });

  it("is refused before the code or the token is looked at, and calls no object", async () => {
    const web = await makeWebClient();
    const { refresh_token } = await server.login(web);
    const { calls, bindings } = bindingsWithoutObjects();
    const of = proving(bad, serverWith(bindings));
    const { client_id, client_secret } = web;
    for (const more of [
      { grant_type: "authorization_code", code: "garbage" },
      { grant_type: "refresh_token", refresh_token: "garbage" },
      { grant_type: "refresh_token", refresh_token },
    ])
      expect(
        await refusal(await of.token({ client_id, client_secret, ...more })),
      ).toEqual(proofInvalid);
    expect(calls).toMatchObject({ family: 0, kvWrite: 0 });
    await server.expectRefresh(web, refresh_token);
  });

  it("is refused if it is one of two", async () => {
    const two = `${await proofOf(key)}, ${await proofOf(key)}`;
    expect(await refusal(await ask(proving(two)))).toEqual(proofInvalid);
  });
});

describe("Laravel Passport's path", () => {
  const passport = serverWith({ PASSPORT_TOKEN_ENDPOINT: "on" });
  const askThere = async (htu: string) => {
    const { client_id, client_secret } = client;
    return passport.http("/oauth/token", {
      method: "POST",
      headers: { DPoP: await proof(key, { htm: "POST", htu }) },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id,
        client_secret,
      }),
    });
  };

  it("takes a proof for its own URL, and no other", async () => {
    const good = await expectTokens(await askThere(`${ISSUER}/oauth/token`));
    expect(good.token_type).toBe("DPoP");
    expect(await refusal(await askThere(`${ISSUER}/access_token`))).toEqual(
      proofInvalid,
    );
  });
});
