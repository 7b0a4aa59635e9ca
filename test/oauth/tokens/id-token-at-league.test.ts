import { beforeAll, expect, inject, it } from "vitest";
import { LeagueResourceServer } from "../../support/league-validator.ts";
import type { OpenIdTokens } from "../../support/openid.ts";
import { server, serverWith } from "../../support/server.ts";

/** Tests what a league resource server, which does not compare `typ`, makes of an ID token. */

const keys = inject("testKeys");
const league = serverWith({
  PRIVATE_KEY: keys.plain[0]![1],
  ACCESS_TOKEN_FORMAT: "league",
});
let tokens: OpenIdTokens;

beforeAll(async () => {
  await server.makeScopes("openid", "read");
  const client = await league.makeClient({ scope: "openid read" });
  tokens = (await league.login(client)) as OpenIdTokens;
});

function validate(token: string, isRevoked?: (jti: string) => boolean) {
  const headers = new Headers({ Authorization: `Bearer ${token}` });
  const api = new LeagueResourceServer(keys.publicRsaPem, isRevoked);
  return api.validate(headers, Date.now() + 1000);
}

it("refuses it if the application takes a jti without a dot for one of its own tables, as docs/moving-from-league.md shows", async () => {
  const isRevoked = (jti: string) => !jti.includes(".");
  await validate(tokens.access_token, isRevoked);
  await expect(validate(tokens.id_token, isRevoked)).rejects.toThrow("revoked");
});

it("otherwise sees that it has no scopes, as the documents say", async () => {
  const { oauth_scopes } = await validate(tokens.access_token);
  expect(oauth_scopes).toEqual(["openid", "read"]);
  expect((await validate(tokens.id_token)).oauth_scopes).toBeNull();
});
