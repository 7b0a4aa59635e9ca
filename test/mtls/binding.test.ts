import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { makeWebClient, obtainCode, redeem } from "../support/authorization.ts";
import {
  app,
  described,
  other,
  placeholder,
  renewed,
  SELF_SIGNED,
  selfa,
  selfb,
  type TestCertificate,
  through,
  withCertificate,
} from "../support/certificates.ts";
import { makeProofKey } from "../support/dpop.ts";
import { proving } from "../support/proving.ts";
import {
  refusal,
  server as off,
  serverWith,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/** Tests tokens that are bound to a client certificate (RFC 8705 sections 3, 4 and 7.1). */

const server = serverWith({ CLIENT_CERTIFICATES: "on" });
const BOUND = { tls_client_certificate_bound_access_tokens: true };

const boundTo = ({ thumbprint }: TestCertificate) => ({
  "x5t#S256": thumbprint,
});
const missing = [400, "invalid_request", "certificate_to_bind_missing"];

const cnfOf = ({ access_token }: Tokens) => decodeJwt(access_token)["cnf"];

async function changeRecord(
  { client_id }: { client_id: string },
  tls_client_certificate_bound_access_tokens: boolean,
): Promise<void> {
  await server.expectAdmin("PATCH", `/clients/${client_id}`, {
    tls_client_certificate_bound_access_tokens,
  });
}

async function expectTokens(response: Response): Promise<Tokens> {
  expect(response.status).toBe(200);
  return response.json<Tokens>();
}

beforeAll(() => server.makeScopes("read"));

describe("an access token", () => {
  const form = (client: TestClient) => ({
    grant_type: "client_credentials",
    client_id: client.client_id,
    client_secret: client.client_secret,
  });
  let client: TestClient;
  beforeAll(async () => {
    client = await server.makeClient({
      grant_types: ["client_credentials"],
      scope: "read",
      ...BOUND,
    });
  });

  it("is bound to the certificate of its request, and stays a Bearer token", async () => {
    for (const certificate of [app, other]) {
      const at = withCertificate(server, certificate);
      const tokens = await expectTokens(await at.token(form(client)));
      expect([tokens.token_type, cnfOf(tokens)]).toEqual([
        "Bearer",
        boundTo(certificate),
      ]);
    }
  });

  it("is bound to a certificate that nobody vouches for, because only its key counts", async () => {
    const at = withCertificate(server, selfa, SELF_SIGNED);
    const tokens = await expectTokens(await at.token(form(client)));
    expect(cnfOf(tokens)).toEqual(boundTo(selfa));
  });

  it("is bound to the key of a DPoP proof as well", async () => {
    const key = await makeProofKey();
    const at = proving(key, withCertificate(server, app));
    const tokens = await expectTokens(await at.token(form(client)));
    expect([tokens.token_type, cnfOf(tokens)]).toEqual([
      "DPoP",
      { ...boundTo(app), jkt: key.jkt },
    ]);
  });

  it.each<[name: string, tlsClientAuth: unknown]>([
    ["no certificate", undefined],
    ["the placeholder of development", placeholder],
    ["a revoked one", described(app, { certRevoked: "1" })],
    ["a malformed one", described(app, { certFingerprintSHA256: "00" })],
  ])("is refused to a request with %s", async (_name, tlsClientAuth) => {
    const response = await through(server, tlsClientAuth).token(form(client));
    expect(await refusal(response)).toEqual(missing);
  });

  it("is refused to a request whose headers name a certificate, and while CLIENT_CERTIFICATES is off", async () => {
    const headers = {
      "Cf-Client-Cert-Sha256": app.fingerprint,
      "Client-Cert": `:${app.der}:`,
      "X-SSL-Client-Cert": app.der,
    };
    expect(await refusal(await server.token(form(client), headers))).toEqual(
      missing,
    );
    expect(
      await refusal(await withCertificate(off, app).token(form(client))),
    ).toEqual(missing);
  });
});

describe("a public client whose record says that its tokens are bound", () => {
  let client: { client_id: string };
  const by = (certificate: TestCertificate) =>
    withCertificate(server, certificate, SELF_SIGNED);

  beforeAll(async () => {
    client = await makeWebClient(
      { token_endpoint_auth_method: "none", scope: "read", ...BOUND },
      server,
    );
  });

  async function signIn(certificate = selfa): Promise<Tokens> {
    const code = await obtainCode(client, { scope: "read" }, undefined, server);
    return expectTokens(await redeem(client, code, {}, by(certificate)));
  }

  it("keeps its code if the request has no certificate", async () => {
    const code = await obtainCode(client, { scope: "read" }, undefined, server);
    expect(await refusal(await redeem(client, code, {}, server))).toEqual(
      missing,
    );
    const tokens = await expectTokens(
      await redeem(client, code, {}, by(selfa)),
    );
    expect(cnfOf(tokens)).toEqual(boundTo(selfa));
  });

  it("refreshes with its certificate, and with no other", async () => {
    let { refresh_token } = await signIn();
    for (let round = 0; round < 3; round += 1) {
      const stolen = await by(selfb).refresh(client, refresh_token);
      expect(await refusal(stolen)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_of_another_key",
      ]);
      const without = await server.refresh(client, refresh_token);
      expect(await refusal(without)).toEqual(missing);
      const tokens = await by(selfa).expectRefresh(client, refresh_token);
      expect(cnfOf(tokens)).toEqual(boundTo(selfa));
      ({ refresh_token } = tokens);
    }
  });

  it("keeps a login that began with a certificate bound to it, after its record has stopped asking for one", async () => {
    const { refresh_token: first } = await signIn();
    await changeRecord(client, false);
    const later = serverWith({ CLIENT_CERTIFICATES: "on" });
    const of = (certificate: TestCertificate) =>
      withCertificate(later, certificate, SELF_SIGNED);
    const without = await later.refresh(client, first);
    expect(await refusal(without)).toEqual([
      400,
      "invalid_request",
      "refresh_token_certificate_missing",
    ]);
    // A DPoP proof does not stand in for the certificate.
    const byKey = proving(await makeProofKey(), later);
    expect(await refusal(await byKey.refresh(client, first))).toEqual([
      400,
      "invalid_request",
      "refresh_token_certificate_missing",
    ]);
    expect(await refusal(await of(selfb).refresh(client, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_key",
    ]);
    const second = await of(selfa).expectRefresh(client, first);
    expect(cnfOf(second)).toEqual(boundTo(selfa));
    await of(selfa).expectRefresh(client, second.refresh_token);
    await changeRecord(client, true);
  });

  it("binds nothing to a certificate that its record does not ask for", async () => {
    await changeRecord(client, false);
    const later = serverWith({ CLIENT_CERTIFICATES: "on" });
    const of = withCertificate(later, selfa, SELF_SIGNED);
    const code = await obtainCode(client, { scope: "read" }, undefined, later);
    const first = await expectTokens(await redeem(client, code, {}, of));
    expect(cnfOf(first)).toBeUndefined();
    const key = await makeProofKey();
    const { refresh_token } = await proving(key, of).expectRefresh(
      client,
      first.refresh_token,
    );
    // The login is bound to the key of the proof alone.
    const third = await proving(key, later).expectRefresh(
      client,
      refresh_token,
    );
    expect(cnfOf(third)).toEqual({ jkt: key.jkt });
    await changeRecord(client, true);
  });

  it("gets the current token for a used one with its certificate, and a thief gets nothing", async () => {
    const { refresh_token: first } = await signIn();
    const { refresh_token: second } = await by(selfa).expectRefresh(
      client,
      first,
    );
    await by(selfa).expectRefresh(client, second);
    expect(await refusal(await by(selfb).refresh(client, first))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_of_another_key",
    ]);
    const late = await by(selfa).expectRefresh(client, first);
    await by(selfa).expectRefresh(client, late.refresh_token);
  });

  it("must sign in again with a new certificate (section 7.1)", async () => {
    const { refresh_token: old } = await signIn(selfa);
    expect((await by(selfb).refresh(client, old)).status).toBe(400);
    const { refresh_token } = await signIn(selfb);
    expect(cnfOf(await by(selfb).expectRefresh(client, refresh_token))).toEqual(
      boundTo(selfb),
    );
  });

  it("needs both its certificate and its DPoP key, if the login began with both", async () => {
    const key = await makeProofKey();
    const both = proving(key, by(selfa));
    const code = await obtainCode(client, { scope: "read" }, undefined, server);
    const { refresh_token } = await expectTokens(
      await redeem(client, code, {}, both),
    );
    for (const half of [by(selfa), proving(key, by(selfb))])
      expect((await half.refresh(client, refresh_token)).status).toBe(400);
    expect(cnfOf(await both.expectRefresh(client, refresh_token))).toEqual({
      ...boundTo(selfa),
      jkt: key.jkt,
    });
  });
});

describe("a confidential client", () => {
  it("refreshes with a renewed certificate, because the refresh token is the client's (section 7.1)", async () => {
    const client = await server.makeClient({
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_subject_dn: app.subject,
      scope: "read",
      ...BOUND,
    });
    const { refresh_token } = await server.login(client, {
      scope: "read",
      ...boundTo(app),
    });
    const { client_id } = client;
    const before = await withCertificate(server, app).expectRefresh(
      { client_id },
      refresh_token,
    );
    expect(cnfOf(before)).toEqual(boundTo(app));
    const after = await withCertificate(server, renewed).expectRefresh(
      { client_id },
      before.refresh_token,
    );
    expect(cnfOf(after)).toEqual(boundTo(renewed));
  });

  it("gets unbound tokens if its record does not ask for bound ones", async () => {
    const { client_id } = await server.makeClient({
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_subject_dn: app.subject,
      grant_types: ["client_credentials"],
      scope: "read",
    });
    const tokens = await expectTokens(
      await withCertificate(server, app).token({
        grant_type: "client_credentials",
        client_id,
      }),
    );
    expect(cnfOf(tokens)).toBeUndefined();
  });
});

describe("GET /health", () => {
  it("says that CLIENT_CERTIFICATES is not on, if a client needs it", async () => {
    await server.makeClient(BOUND);
    const problems = async (examined: typeof off) => {
      const response = await examined.health();
      expect(response.status).toBe(200);
      const body = await response.json<{ problems?: object[] }>();
      return body.problems ?? [];
    };
    expect(await problems(serverWith({}))).toEqual([
      {
        name: "CLIENT_CERTIFICATES",
        problem: expect.stringMatching(
          /^is not on, and the client \S+( and \d+ more)? must send a certificate/,
        ),
      },
    ]);
    expect(await problems(serverWith({ CLIENT_CERTIFICATES: "on" }))).toEqual(
      [],
    );
  });
});
