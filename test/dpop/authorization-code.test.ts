import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { grantOf, proving } from "../support/proving.ts";
import type { TestClient } from "../support/server.ts";

/** Tests the exchange of a code by a client that proves a key (RFC 9449 sections 5 and 10). */

let app: { client_id: string };
let site: TestClient;
let key: ProofKey;

beforeAll(async () => {
  app = await makeWebClient({ token_endpoint_auth_method: "none" });
  site = await makeWebClient();
  key = await makeProofKey();
});

describe("a code with a DPoP proof", () => {
  it("gives an access token that is bound to the key, with the type DPoP", async () => {
    for (const client of [app, site]) {
      const code = await obtainCode(client);
      const response = await redeem(client, code, {}, proving(key));
      const { token_type, access_token } = await expectTokens(response);
      expect(token_type).toBe("DPoP");
      expect(decodeJwt(access_token).cnf).toEqual({ jkt: key.jkt });
    }
  });

  it("binds the login of a public client alone (section 5)", async () => {
    const code = await obtainCode(app);
    const bound = await expectTokens(await redeem(app, code, {}, proving(key)));
    expect(await grantOf(bound)).toMatchObject({ cnf: { jkt: key.jkt } });
    const siteCode = await obtainCode(site);
    const authenticated = await expectTokens(
      await redeem(site, siteCode, {}, proving(key)),
    );
    expect(await grantOf(authenticated)).not.toHaveProperty("cnf");
  });
});

describe("a code without a DPoP proof", () => {
  it("gives bearer tokens, as ever", async () => {
    const tokens = await expectTokens(await redeem(app, await obtainCode(app)));
    expect(tokens.token_type).toBe("Bearer");
    expect(decodeJwt(tokens.access_token)).not.toHaveProperty("cnf");
  });
});
