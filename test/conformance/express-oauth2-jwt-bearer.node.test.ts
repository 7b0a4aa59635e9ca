import express from "express";
import { auth, requiredScopes } from "express-oauth2-jwt-bearer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  accessTokenHash,
  makeProofKey,
  proof,
  type ProofClaims,
} from "../support/dpop.ts";
import type { Tokens } from "../support/server.ts";
import { AUDIENCE, badTokens, tokensForApi } from "./live/access-tokens.ts";
import { listen } from "./live/listen.ts";
import { ISSUER } from "./live/server.ts";

/** Tests access tokens with express-oauth2-jwt-bearer, which discovers the server and is as strict as RFC 9068. */

let api: Awaited<ReturnType<typeof listen>>;
let tokens: Tokens;

beforeAll(async () => {
  const app = express();
  app.use(auth({ issuerBaseURL: ISSUER, audience: AUDIENCE, strict: true }));
  app.get("/notes", requiredScopes("read"), (request, response) => {
    response.json(request.auth?.payload);
  });
  app.post("/notes", requiredScopes("read write"), (_, response) => {
    response.status(201).end();
  });
  api = await listen(app);
  tokens = await tokensForApi();
});

afterAll(() => api.stop());

function call(token: string, method = "GET"): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}` };
  return fetch(`${api.url}/notes`, { method, headers });
}

function challenge(response: Response): string {
  return response.headers.get("WWW-Authenticate") ?? "";
}

describe("an API with express-oauth2-jwt-bearer", () => {
  it("takes a token of the server", async () => {
    const { access_token } = tokens;
    const response = await call(access_token);
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { iss: ISSUER, sub: "alice", aud: AUDIENCE, scope: "read" },
    ]);
  });

  it("refuses a token without a scope that the route needs", async () => {
    const { access_token } = tokens;
    const refused = await call(access_token, "POST");
    expect(refused.status).toBe(403);
    expect(challenge(refused)).toContain('error="insufficient_scope"');
    const both = await tokensForApi({ scope: "read write" });
    expect((await call(both.access_token, "POST")).status).toBe(201);
  });

  it.each(badTokens)("refuses %s", async (_, make) => {
    const response = await call(await make(tokens));
    expect(response.status).toBe(401);
    expect(challenge(response)).toContain('error="invalid_token"');
    expect((await call(tokens.access_token)).status).toBe(200);
  });

  it("refuses a request without a token", async () => {
    const response = await fetch(`${api.url}/notes`);
    expect(response.status).toBe(401);
    expect(challenge(response)).toMatch(/^Bearer realm="api"/);
  });

  it("takes a token that is bound to a key with its proof, and no other way", async () => {
    const key = await makeProofKey();
    const { access_token } = await tokensForApi({ dpop_jkt: key.jkt });
    const url = `${api.url}/notes`;
    const prove = async (claims: Partial<ProofClaims> = {}, by = key) => {
      const ath = await accessTokenHash(access_token);
      const headers = {
        Authorization: `DPoP ${access_token}`,
        DPoP: await proof(by, { htm: "GET", htu: url, ath, ...claims }),
      };
      return (await fetch(`${url}?page=2`, { headers })).status;
    };
    expect(await prove()).toBe(200);
    expect(await prove({ htm: "POST" })).toBe(400);
    expect(await prove({ ath: await accessTokenHash("a.b.c") })).toBe(400);
    expect(await prove({}, await makeProofKey())).toBe(401);
    const asBearer = await call(access_token);
    expect(asBearer.status).toBe(401);
    expect(challenge(asBearer)).toMatch(/, DPoP algs="/);
  });
});
