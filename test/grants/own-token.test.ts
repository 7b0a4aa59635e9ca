import { createLocalJWKSet, decodeJwt, jwtVerify } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import { leagueServer, oldToken, takeOver } from "../support/league.ts";
import { ISSUER, server, type TestClient } from "../support/server.ts";

/** A token of a client itself and a token of a user never look the same (RFC 9068 section 2.2, RFC 9700 section 4.15). */

beforeAll(() => server.makeScopes("read", "write"));

async function own(client: TestClient): Promise<string> {
  const { client_id, client_secret } = client;
  const grant_type = "client_credentials";
  const response = await server.token({ grant_type, client_id, client_secret });
  return (await expectTokens(response)).access_token;
}

async function introspect(client: TestClient, token: string) {
  const response = await server.about("/introspect", client, token);
  return response.json<Record<string, unknown>>();
}

const both = {
  grant_types: ["authorization_code", "refresh_token", "client_credentials"],
};

describe.each(["rfc9068", "league"])(
  "in the format %s",
  (access_token_format) => {
    it("the client's own token has sub_type client, and a token of a user of the same name has none", async () => {
      const client = await server.makeClient({ ...both, access_token_format });
      const { client_id } = client;
      const users = await server.login(client, { subject: client_id });
      const refreshed = await server.expectRefresh(client, users.refresh_token);
      const token = await own(client);
      expect(decodeJwt(token)).toMatchObject({
        sub: client_id,
        sub_type: "client",
      });
      for (const { access_token } of [users, refreshed]) {
        expect(decodeJwt(access_token).sub).toBe(client_id);
        expect(decodeJwt(access_token)).not.toHaveProperty("sub_type");
      }
    });

    it("introspection shows the mark of the one and none of the other", async () => {
      const client = await server.makeClient({ ...both, access_token_format });
      const { client_id } = client;
      const users = await server.login(client, { subject: client_id });
      expect(await introspect(client, await own(client))).toMatchObject({
        active: true,
        sub: client_id,
        sub_type: "client",
      });
      for (const token of [users.access_token, users.refresh_token]) {
        const answer = await introspect(client, token);
        expect(answer).toMatchObject({ active: true, sub: client_id });
        expect(answer).not.toHaveProperty("sub_type");
      }
    });

    it("a library verifies both as before", async () => {
      const client = await server.makeClient({ ...both, access_token_format });
      const { access_token } = await server.login(client);
      const response = await server.http("/.well-known/jwks.json");
      const keys = createLocalJWKSet(await response.json());
      for (const token of [access_token, await own(client)]) {
        const options = { issuer: ISSUER, typ: "at+jwt" };
        const { payload } = await jwtVerify(token, keys, options);
        expect(payload["client_id"]).toBe(client.client_id);
      }
    });
  },
);

describe("a user whose name is the id of the client", () => {
  it("can sign in", async () => {
    const client = await makeWebClient();
    const decision = { subject: client.client_id };
    const response = await redeem(
      client,
      await obtainCode(client, {}, decision),
    );
    const { access_token } = await expectTokens(response);
    expect(decodeJwt(access_token).sub).toBe(client.client_id);
  });
});

describe("a league token", () => {
  it.each([
    ["of a user whose id is the client's has no mark", true],
    ["without a user is the client's, and has the mark in every answer", false],
  ])("%s", async (_, hasUser) => {
    const league = leagueServer("defuse");
    const client_id = crypto.randomUUID();
    const client = await takeOver(league, client_id);
    const user_id = hasUser ? client_id : null;
    const token = await oldToken({ client_id, user_id });
    const about = async (presented: string) => {
      const response = await league.about("/introspect", client, presented);
      return response.json<Record<string, unknown>>();
    };
    const answers = [await about(token)];
    const tokens = await league.expectRefresh(client, token);
    const next = await server.expectRefresh(client, tokens.refresh_token);
    for (const { access_token } of [tokens, next])
      answers.push(decodeJwt(access_token));
    answers.push(
      await about(next.refresh_token),
      await about(next.access_token),
    );
    for (const answer of answers) {
      expect(answer["sub"]).toBe(client_id);
      expect(answer["sub_type"]).toBe(hasUser ? undefined : "client");
    }
  });
});
