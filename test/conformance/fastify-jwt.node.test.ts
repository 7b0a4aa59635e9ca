import fastifyJwt, { type TokenOrHeader } from "@fastify/jwt";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import buildGetJwks, { type GetJwksOptions } from "get-jwks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Tokens } from "../support/server.ts";
import { AUDIENCE, badTokens, tokensForApi } from "./live/access-tokens.ts";
import { ISSUER } from "./live/server.ts";

/** Tests access tokens with @fastify/jwt, for which get-jwks finds the keys of the server. */

declare module "@fastify/jwt" {
  interface FastifyJWT {
    user: { sub: string; scope?: string };
  }
}

async function startApi(options: GetJwksOptions) {
  const getJwks = buildGetJwks({ issuersWhitelist: [ISSUER], ...options });
  const app = fastify();
  await app.register(fastifyJwt, {
    decode: { complete: true },
    secret: async (
      _: FastifyRequest,
      token: TokenOrHeader,
    ): Promise<string> => {
      const { kid, alg } = "header" in token ? token.header : token;
      return getJwks.getPublicKey({ kid, alg, domain: ISSUER });
    },
    verify: {
      algorithms: ["ES256"],
      allowedIss: ISSUER,
      allowedAud: AUDIENCE,
      checkTyp: "at+jwt",
      requiredClaims: ["iss", "aud", "exp"],
    },
  });
  app.addHook("onRequest", async (request, reply) => {
    try {
      await request.jwtVerify();
    } catch {
      // For some tokens, such as those of another typ, the library has no status of its own.
      await reply.code(401).send();
    }
  });
  app.get("/notes", async ({ user }) => user);
  app.post("/notes", async ({ user }, reply) => {
    const scopes = user.scope?.split(" ") ?? [];
    await reply.code(scopes.includes("write") ? 201 : 403).send();
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return { app, url };
}

const discoveries: [string, GetJwksOptions][] = [
  ["finds the JWKS at its usual path", {}],
  ["finds the JWKS by discovery", { providerDiscovery: true }],
];

describe.each(discoveries)(
  "an API with @fastify/jwt, whose get-jwks %s",
  (_, options) => {
    let api: { app: FastifyInstance; url: string };
    let tokens: Tokens;

    beforeAll(async () => {
      tokens = await tokensForApi();
      api = await startApi(options);
    });

    afterAll(() => api.app.close());

    function call(token: string, method = "GET"): Promise<Response> {
      const headers = { Authorization: `Bearer ${token}` };
      return fetch(`${api.url}/notes`, { method, headers });
    }

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
      expect((await call(tokens.access_token)).status).toBe(200);
    });

    it("refuses a request without a token", async () => {
      expect((await fetch(`${api.url}/notes`)).status).toBe(401);
    });
  },
);
