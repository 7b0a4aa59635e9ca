import { randomUUID } from "node:crypto";
import express from "express";
import { auth, claimIncludes, requiredScopes } from "express-oauth2-jwt-bearer";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestClient, Tokens } from "../support/server.ts";
import { AUDIENCE } from "./live/access-tokens.ts";
import { listen } from "./live/listen.ts";
import { admin, ISSUER, login, makeClient } from "./live/server.ts";

/**
 * Tests an API that decides by the roles and the tenant of the person, which the login gave for the access token. It
 * uses express-oauth2-jwt-bearer, and knows nothing else of the server.
 */

let api: Awaited<ReturnType<typeof listen>>;
let client: TestClient;

beforeAll(async () => {
  const app = express();
  app.use(auth({ issuerBaseURL: ISSUER, audience: AUDIENCE, strict: true }));
  app.get("/notes", requiredScopes("read"), (request, response) => {
    response.json(request.auth?.payload);
  });
  const isEditor = claimIncludes("roles", "editor");
  app.delete("/notes", requiredScopes("write"), isEditor, (_, response) => {
    response.status(204).end();
  });
  api = await listen(app);
  client = await makeClient({ resources: [AUDIENCE] });
});

afterAll(() => api.stop());

async function call(method: string, { access_token }: Tokens) {
  const headers = { Authorization: `Bearer ${access_token}` };
  const { status } = await fetch(`${api.url}/notes`, { method, headers });
  return status;
}

/** Makes a login of a new person with these claims. */
async function signIn(claims: Record<string, unknown>, scope = "read write") {
  const subject = randomUUID();
  const grant = { subject, scope, resource: AUDIENCE, claims };
  const tokens = await login(client, grant);
  const { grants } = await admin<{ grants: { grant_id: string }[] }>(
    "GET",
    `/subjects/${subject}/grants`,
  );
  return { tokens, grantId: grants[0]?.grant_id };
}

async function refreshed({ refresh_token }: Tokens): Promise<Tokens> {
  const response = await fetch(`${ISSUER}/access_token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token,
      client_id: client.client_id,
      client_secret: client.client_secret,
    }),
  });
  return (await response.json()) as Tokens;
}

describe("an API that reads the claims of the login", () => {
  it("lets a person do what a role allows, at once and after a refresh", async () => {
    const { tokens } = await signIn({ roles: ["editor"], tenant: "acme" });
    expect(await call("DELETE", tokens)).toBe(204);
    const next = await refreshed(tokens);
    expect(decodeJwt(next.access_token)).toMatchObject({ tenant: "acme" });
    expect(await call("DELETE", next)).toBe(204);
  });

  it("refuses a person without the role, and one without roles", async () => {
    const reader = await signIn({ roles: ["reader"] });
    const nobody = await signIn({});
    for (const { tokens } of [reader, nobody]) {
      expect(await call("GET", tokens)).toBe(200);
      expect(await call("DELETE", tokens)).toBe(401);
    }
  });

  it("refuses an editor at an app which may only read, because a claim is in every access token", async () => {
    const { tokens } = await signIn({ roles: ["editor"] }, "read");
    expect(decodeJwt(tokens.access_token)).toMatchObject({ roles: ["editor"] });
    expect(await call("GET", tokens)).toBe(200);
    expect(await call("DELETE", tokens)).toBe(403);
  });

  it("learns of a changed role from the next access token, and not from an old one", async () => {
    const { tokens, grantId } = await signIn({ roles: ["reader"] });
    await admin("PATCH", `/grants/${grantId}`, {
      claims: { roles: ["reader", "editor"] },
    });
    expect(await call("DELETE", tokens)).toBe(401);
    const promoted = await refreshed(tokens);
    expect(await call("DELETE", promoted)).toBe(204);

    await admin("PATCH", `/grants/${grantId}`, { claims: null });
    expect(await call("DELETE", promoted)).toBe(204);
    const demoted = await refreshed(promoted);
    expect(await call("GET", demoted)).toBe(200);
    expect(await call("DELETE", demoted)).toBe(401);
  });
});
