import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { leagueServer, oldToken, takeOver } from "../support/league.ts";
import {
  ISSUER,
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/**
 * Tests the audience of a token for which nobody named a resource: the client's only one, by its record as it
 * is at each request, within what the login remembers. Else it is AUDIENCE or the issuer.
 */

const api = "https://api.example.com";
const files = "https://files.example.com";

const audience = ({ access_token }: { access_token: string }) =>
  decodeJwt(access_token).aud;

async function setResources(
  { client_id }: TestClient,
  resources: string[],
): Promise<void> {
  await server.expectAdmin("PATCH", `/clients/${client_id}`, { resources });
}

async function ownToken({ client_id, client_secret }: TestClient) {
  const grant_type = "client_credentials";
  return expectTokens(
    await server.token({ grant_type, client_id, client_secret }),
  );
}

const grant_types = [
  "client_credentials",
  "refresh_token",
  "authorization_code",
];

describe("a client with exactly one resource", () => {
  it("gets it as audience from every grant type if it names none", async () => {
    const client = await makeWebClient({ grant_types, resources: [api] });
    expect(audience(await ownToken(client))).toBe(api);
    const granted = await server.login(client);
    expect(audience(granted)).toBe(api);
    const redeemed = await redeem(client, await obtainCode(client));
    const byCode = await expectTokens(redeemed);
    expect(audience(byCode)).toBe(api);
    for (const { refresh_token } of [granted, byCode]) {
      const next = await server.expectRefresh(client, refresh_token);
      expect(audience(next)).toBe(api);
    }
  });

  it("gets it from a league token", async () => {
    const league = leagueServer("defuse");
    const client_id = crypto.randomUUID();
    const client = await takeOver(league, client_id, { resources: [api] });
    const token = await oldToken({ client_id });
    expect(audience(await league.expectRefresh(client, token))).toBe(api);
  });

  it("gets it before AUDIENCE", async () => {
    const to = serverWith({ AUDIENCE: "https://default.example.com" });
    const client = await to.makeClient({ resources: [api] });
    expect(audience(await to.login(client))).toBe(api);
    const other = await to.makeClient();
    expect(audience(await to.login(other))).toBe("https://default.example.com");
  });

  it("has one resource also if two spellings of it are registered: the first is the audience", async () => {
    const client = await server.makeClient({ resources: [`${api}/`, api] });
    expect(audience(await server.login(client))).toBe(`${api}/`);
  });

  it("may introspect the token, and so may the resource server", async () => {
    const client = await server.makeClient({ grant_types, resources: [api] });
    const resourceServer = await server.makeClient({ resource_server: api });
    const tokens = [await ownToken(client), await server.login(client)];
    for (const { access_token } of tokens)
      for (const asking of [client, resourceServer]) {
        const answer = await server.about("/introspect", asking, access_token);
        expect(await answer.json()).toMatchObject({ active: true, aud: api });
      }
    await setResources(client, [files]);
    for (const { access_token } of tokens) {
      const answer = await server.about("/introspect", client, access_token);
      expect(await answer.json()).toEqual({ active: false });
    }
  });
});

describe("a client with several resources, or none,", () => {
  it.each([[[]], [[api, files]]])(
    "(%j) gets the issuer if it names none",
    async (resources) => {
      const client = await server.makeClient({ grant_types, resources });
      expect(audience(await ownToken(client))).toBe(ISSUER);
      expect(audience(await server.login(client))).toBe(ISSUER);
    },
  );
});

describe("a login that named no resource", () => {
  it("follows the record, within what it remembers", async () => {
    const client = await server.makeClient({ resources: [api, files] });
    const first = await server.login(client);
    expect(audience(first)).toBe(ISSUER);
    await setResources(client, [files]);
    const second = await server.expectRefresh(client, first.refresh_token);
    expect(audience(second)).toBe(files);
    await setResources(client, [files, api]);
    const third = await server.expectRefresh(client, second.refresh_token);
    expect(audience(third)).toBe(ISSUER);
    await setResources(client, ["https://later.example.com"]);
    const fourth = await server.expectRefresh(client, third.refresh_token);
    expect(audience(fourth)).toBe(ISSUER);
  });

  it("keeps the audience of before if its client gets its one resource later; a new login has it", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    await setResources(client, [api]);
    const next = await server.expectRefresh(client, refresh_token);
    expect(audience(next)).toBe(ISSUER);
    const asked = await server.refresh(client, next.refresh_token, {
      resource: api,
    });
    expect(await refusal(asked)).toEqual([
      400,
      "invalid_target",
      "resource_not_allowed",
    ]);
    expect(audience(await server.login(client))).toBe(api);
  });

  it("that was on its way when its client got its one resource keeps the audience of before", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    await setResources(client, [api]);
    expect(audience(await expectTokens(await redeem(client, code)))).toBe(
      ISSUER,
    );
  });

  it("still names none: the sign-in page sees no resource, and a later request may choose", async () => {
    const client = await makeWebClient({ resources: [api] });
    const request = await requestAtLogin(client);
    const shown = await server.expectAdmin<{ resource: string[] }>(
      "GET",
      `/authorizations?${new URLSearchParams({ request }).toString()}`,
    );
    expect(shown.resource).toEqual([]);
    const first = await server.login(client);
    await setResources(client, [api, files]);
    const chosen = await server.expectRefresh(client, first.refresh_token, {
      resource: api,
    });
    expect(audience(chosen)).toBe(api);
  });
});

describe("a token in league's format", () => {
  it("keeps the client's id as audience if no resource is named", async () => {
    const access_token_format = "league";
    const client = await server.makeClient({
      grant_types,
      access_token_format,
      resources: [api],
    });
    const { client_id } = client;
    expect(audience(await ownToken(client))).toBe(client_id);
    const login = await server.login(client);
    expect(audience(login)).toBe(client_id);
    const chosen = await server.expectRefresh(client, login.refresh_token, {
      resource: `${api}/`,
    });
    expect(audience(chosen)).toBe(api);
  });
});
