import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { jwk } from "hono/jwk";
import type { JwtVariables } from "hono/jwt";
import { beforeAll, describe, expect, it } from "vitest";
import type { Tokens } from "../support/server.ts";
import { AUDIENCE, badTokens, tokensForApi } from "./live/access-tokens.ts";
import { ISSUER } from "./live/server.ts";

/** Tests access tokens with Hono's middleware `jwk`, which gets the keys of the server over HTTP. */

type Verification = Parameters<typeof jwk>[0]["verification"];

/** Makes an API. `change` changes what it checks. */
function newApi(change: Verification = {}) {
  const app = new Hono<{ Variables: JwtVariables<{ scope?: string }> }>();
  app.use(
    jwk({
      jwks_uri: `${ISSUER}/.well-known/jwks.json`,
      alg: ["ES256"],
      verification: { iss: ISSUER, aud: AUDIENCE, typ: "at+jwt", ...change },
    }),
  );
  app.get("/notes", (c) => c.json(c.get("jwtPayload")));
  app.post("/notes", (c) => {
    const scopes = c.get("jwtPayload").scope?.split(" ") ?? [];
    if (!scopes.includes("write")) throw new HTTPException(403);
    return c.body(null, 201);
  });
  return (token: string, method = "GET") => {
    const headers = { Authorization: `Bearer ${token}` };
    return app.request("/notes", { method, headers });
  };
}

const call = newApi();
let tokens: Tokens;

beforeAll(async () => {
  tokens = await tokensForApi();
});

describe("an API with Hono's jwk", () => {
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
    expect((await call(access_token, "POST")).status).toBe(403);
    const both = await tokensForApi({ scope: "read write" });
    expect((await call(both.access_token, "POST")).status).toBe(201);
  });

  it.each(badTokens)("refuses %s", async (_, make) => {
    const response = await call(await make(tokens));
    expect(response.status).toBe(401);
    expect(response.headers.get("WWW-Authenticate")).toContain(
      'error="invalid_token"',
    );
    expect((await call(tokens.access_token)).status).toBe(200);
  });

  it("has to name the typ of access tokens, because its default takes JWT alone", async () => {
    const { access_token } = tokens;
    const withDefault = newApi({ typ: "JWT" });
    expect((await withDefault(access_token)).status).toBe(401);
  });
});
