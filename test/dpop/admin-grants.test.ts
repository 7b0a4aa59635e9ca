import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { selfa } from "../support/certificates.ts";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { grantOf } from "../support/proving.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  type ErrorBody,
  server,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/** Tests the logins that a back end starts for a client with a key (`dpop_jkt` of `POST /admin/grants`). */

let app: { client_id: string };
let site: TestClient;
let key: ProofKey;

beforeAll(async () => {
  app = await server.makeClient({ token_endpoint_auth_method: "none" });
  site = await server.makeClient();
  key = await makeProofKey();
});

const start = (fields: Record<string, unknown>) =>
  server.admin("POST", "/grants", { subject: "alice", ...fields });

describe("POST /admin/grants with dpop_jkt", () => {
  it("gives an access token that is bound to the key", async () => {
    for (const client of [app, site]) {
      const tokens = await server.login(client, { dpop_jkt: key.jkt });
      expect(tokens.token_type).toBe("DPoP");
      expect(decodeJwt(tokens.access_token).cnf).toEqual({ jkt: key.jkt });
    }
  });

  it("binds the grant of a public client alone, and GET shows it", async () => {
    const bound = await server.login(app, { dpop_jkt: key.jkt });
    expect(await grantOf(bound)).toMatchObject({ cnf: { jkt: key.jkt } });
    const authenticated = await server.login(site, { dpop_jkt: key.jkt });
    expect(await grantOf(authenticated)).not.toHaveProperty("cnf");
  });

  it.each([
    ["an empty text", ""],
    ["41 characters", "a".repeat(41)],
    ["the alphabet of base64", `${"+".repeat(42)}A`],
    ["padding", `${"A".repeat(43)}=`],
    ["unused bits that are not zero", "B".repeat(43)],
  ])("refuses %s", async (_what, dpop_jkt) => {
    const { client_id } = app;
    const response = await start({ client_id, dpop_jkt });
    const { fields } = await response.json<ErrorBody>();
    expect(response.status).toBe(400);
    expect(reasonOf(response)).toBe("admin_body_invalid");
    expect(Object.keys(fields ?? {})).toEqual(["dpop_jkt"]);
  });
});

describe("POST /admin/grants for a client whose tokens are always bound", () => {
  it("needs dpop_jkt, and says what to do", async () => {
    const { client_id } = await server.makeClient({
      token_endpoint_auth_method: "none",
      dpop_bound_access_tokens: true,
    });
    const response = await start({ client_id });
    const { fields } = await response.json<ErrorBody>();
    expect(response.status).toBe(400);
    expect(fields?.dpop_jkt).toContain("dpop_bound_access_tokens");
    expect(fields?.dpop_jkt).toContain("thumbprint");

    const { token_type } = await server.login(
      { client_id },
      { dpop_jkt: key.jkt },
    );
    expect(token_type).toBe("DPoP");
  });
});

describe("POST /admin/grants for a client whose tokens are always bound to its certificate", () => {
  const always = { tls_client_certificate_bound_access_tokens: true };
  const { thumbprint } = selfa;
  const named = { "x5t#S256": thumbprint };

  it("needs x5t#S256, and says what to do", async () => {
    const { client_id } = await server.makeClient(always);
    const response = await start({ client_id });
    const { fields } = await response.json<ErrorBody>();
    expect(response.status).toBe(400);
    expect(Object.keys(fields ?? {})).toEqual(["x5t#S256"]);
    expect(fields?.["x5t#S256"]).toContain(
      "tls_client_certificate_bound_access_tokens",
    );
    expect(fields?.["x5t#S256"]).toContain("thumbprint");
  });

  it("gives an access token that is bound to the certificate, and binds the grant of a public client", async () => {
    const own = await server.makeClient(always);
    const open = await server.makeClient({
      ...always,
      token_endpoint_auth_method: "none",
    });
    for (const client of [own, open]) {
      const tokens = await server.login(client, named);
      expect(tokens.token_type).toBe("Bearer");
      expect(decodeJwt(tokens.access_token).cnf).toEqual(named);
      expect((await grantOf(tokens))?.["cnf"]).toEqual(
        client === open ? named : undefined,
      );
    }
  });

  it("is refused for another client, because its record asks for no certificate", async () => {
    const { client_id } = app;
    const response = await start({ client_id, ...named });
    const { fields } = await response.json<ErrorBody>();
    expect(response.status).toBe(400);
    expect(Object.keys(fields ?? {})).toEqual(["x5t#S256"]);
  });
});

describe("POST /admin/grants without dpop_jkt", () => {
  it("gives bearer tokens of a grant that is not bound", async () => {
    const tokens: Tokens = await server.login(app);
    expect(tokens.token_type).toBe("Bearer");
    expect(decodeJwt(tokens.access_token)).not.toHaveProperty("cnf");
    expect(await grantOf(tokens)).not.toHaveProperty("cnf");
  });
});
