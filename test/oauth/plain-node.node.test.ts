import { base64url } from "jose";
import { describe, expect, it } from "vitest";
import { authorizationCodeGrant } from "../../src/grants/authorization-code.ts";
import { clientCredentialsGrant } from "../../src/grants/client-credentials.ts";
import type { GrantType } from "../../src/grants/grant-type.ts";
import { refreshTokenGrant } from "../../src/grants/refresh-token.ts";
import { authenticateClient } from "../../src/oauth/clients/authentication.ts";
import { makeSecret } from "../../src/oauth/clients/secret.ts";
import { decideAuthorization } from "../../src/oauth/authorization/decide.ts";
import { describeAuthorization } from "../../src/oauth/authorization/describe.ts";
import { findRedirectTarget } from "../../src/oauth/authorization/redirect-target.ts";
import {
  checkAuthorizationRequest,
  encryptAuthorizationRequest,
} from "../../src/oauth/authorization/request.ts";
import type { Client } from "../../src/oauth/entities.ts";
import { Parameters } from "../../src/oauth/parameters.ts";
import { RequestLog } from "../../src/oauth/request-log.ts";
import type { Server } from "../../src/oauth/server.ts";
import { kindOf } from "../../src/oauth/token-kind.ts";
import { grantTokens } from "../../src/oauth/tokens/grant-tokens.ts";
import vectors from "../league/refresh-tokens.json" with { type: "json" };
import { memoryLeagueReader, memoryServer } from "../support/memory-server.ts";

/** oauth/, grants/ and the files that read league tokens do not need Cloudflare: they run on plain Node. */

const NOW = 1_800_000_000;
const { secret, record } = await makeSecret(NOW);
const client: Client = {
  client_id: "web",
  client_id_issued_at: 1,
  grant_types: ["authorization_code", "refresh_token", "client_credentials"],
  scope: "read write",
  redirect_uris: ["https://app.example.com/callback"],
  resources: [],
  secrets: [record],
};
const network = () => "192.0.2.1";

async function ask(
  server: Server,
  grant: GrantType,
  form: Record<string, string>,
) {
  const parameters = new Parameters(
    new URLSearchParams({ ...form, client_id: "web", client_secret: secret }),
  );
  const log = new RequestLog();
  const { client: authenticated } = await authenticateClient(server, {
    authorization: undefined,
    parameters,
    network: network(),
    now: NOW,
  });
  const request = {
    client: authenticated,
    parameters,
    now: NOW,
    log,
    network,
    userAgent: () => "test",
    takeAssertion: async () => {},
    waitUntil: () => {},
  };
  const complete = async () => server;
  const started = grant.readAhead?.(server, request, complete) ?? {};
  await Promise.allSettled(Object.values(started));
  return grant.respond(server, request, started);
}

function introspect(server: Server, token: string) {
  const presenter = { client, network, log: new RequestLog() };
  return kindOf(server.tokenKinds, token).introspect(token, presenter, NOW);
}

describe("the protocol on plain Node", () => {
  it("exchanges a refresh token once", async () => {
    const server = await memoryServer(client);
    const requested = { scope: undefined, resource: [] };
    const first = await grantTokens(
      server,
      client,
      { subject: "alice" },
      requested,
      NOW,
    );
    const refresh = (refresh_token = "") =>
      ask(server, refreshTokenGrant, { refresh_token });
    const second = await refresh(first.refresh_token);
    expect(await introspect(server, second.access_token)).toMatchObject({
      sub: "alice",
      scope: "read write",
    });
    await expect(refresh(first.refresh_token)).rejects.toMatchObject({
      reason: "refresh_token_reused",
    });
    await expect(refresh(second.refresh_token)).rejects.toMatchObject({
      reason: "family_ended",
    });
    expect(await introspect(server, second.access_token)).toBeUndefined();
  });

  it("turns an authorization request into a code, and the code into tokens once", async () => {
    const server = await memoryServer(client);
    const verifier = "v".repeat(43);
    const digest = await crypto.subtle.digest(
      "SHA-256",
      new TextEncoder().encode(verifier),
    );
    const query = new Parameters(
      new URLSearchParams({
        response_type: "code",
        client_id: "web",
        scope: "read",
        code_challenge: base64url.encode(new Uint8Array(digest)),
        code_challenge_method: "S256",
      }),
    );
    const log = new RequestLog();
    const target = await findRedirectTarget(server, query);
    const checked = await checkAuthorizationRequest(server, target, query, log);
    const request = await encryptAuthorizationRequest(server, checked, NOW);
    const shown = await describeAuthorization(server, request, NOW, log);
    expect(shown.scopes).toEqual([{ scope: "read", description: "read" }]);

    const decided = { request, subject: "alice" };
    const { redirect_to } = await decideAuthorization(
      server,
      decided,
      NOW * 1000,
      log,
    );
    const code = new URL(redirect_to).searchParams.get("code") ?? "";
    const form = { code, code_verifier: verifier };
    const tokens = await ask(server, authorizationCodeGrant, form);
    expect(tokens).toMatchObject({ scope: "read", token_type: "Bearer" });
    await expect(
      ask(server, authorizationCodeGrant, form),
    ).rejects.toMatchObject({ reason: "authorization_code_repeated" });
  });

  it("issues a token for client credentials", async () => {
    const server = await memoryServer(client);
    const { access_token } = await ask(server, clientCredentialsGrant, {});
    expect(await introspect(server, access_token)).toMatchObject({
      sub: "web",
      client_id: "web",
    });
  });

  it("reads league tokens", async () => {
    const reader = await memoryLeagueReader();
    const presenter = { client_id: "web", network: network() };
    const ofDefuse = vectors.vectors.filter(({ key }) => key === "defuse");
    expect(ofDefuse.length).toBeGreaterThan(0);
    for (const { refresh_token, payload } of ofDefuse)
      expect(await reader.read(refresh_token, presenter)).toMatchObject({
        refresh_token_id: payload.refresh_token_id,
        client_id: payload.client_id,
      });
    expect(await reader.read("def50200", presenter)).toBe(
      "refresh_token_malformed",
    );
  });
});
