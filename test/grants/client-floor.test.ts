import { env } from "cloudflare:workers";
import { decodeJwt } from "jose";
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import { fieldErrors } from "../support/admin.ts";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
} from "../support/authorization.ts";
import {
  storageOf,
  leagueServer,
  newTokenId,
  oldToken,
  takeOver,
} from "../support/league.ts";
import {
  refusal,
  server,
  type TestClient,
  type TestServer,
} from "../support/server.ts";

/** `tokens_not_before` in a client's record ends every login and token of the client from then or before. */

const T0 = 1_900_000_000;
const ended = [400, "invalid_grant", "client_logins_ended"];
const inactive = { active: false };

beforeAll(() => server.makeScopes("read", "write"));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 * 1000 });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Sets the clock to some seconds after T0. */
function at(seconds: number): void {
  vi.setSystemTime((T0 + seconds) * 1000);
}

function patch({ client_id }: TestClient, fields: object): Promise<Response> {
  return server.admin("PATCH", `/clients/${client_id}`, fields);
}

/** Ends what a client has now. @returns the client as the admin API shows it */
async function endLogins(
  client: TestClient,
  tokens_not_before: unknown = "now",
) {
  const response = await patch(client, { tokens_not_before });
  expect(response.status).toBe(200);
  return response.json<Record<string, unknown>>();
}

async function introspect(
  client: TestClient,
  token: string,
  to: TestServer = server,
) {
  const response = await to.about("/introspect", client, token);
  return response.json<Record<string, unknown>>();
}

describe("a login from before tokens_not_before", () => {
  it("is refused at its next refresh, and stays refused", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    at(10);
    await endLogins(client);
    at(20);
    const first = await server.refresh(client, refresh_token);
    expect(await refusal(first)).toEqual(ended);
    const second = await server.refresh(client, refresh_token);
    expect(await refusal(second)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it.each([
    ["before", -1, 200],
    ["in the same second", 0, 400],
    ["after", 1, 400],
  ])(
    "is one that began then: a floor in the second %s it",
    async (_, seconds, status) => {
      at(10);
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      at(20);
      await endLogins(client, T0 + 10 + seconds);
      const response = await server.refresh(client, refresh_token);
      expect(response.status).toBe(status);
      if (status === 400) expect(await refusal(response)).toEqual(ended);
    },
  );

  it("is counted from its sign-in, not from its newest token", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    at(30);
    const next = await server.expectRefresh(client, refresh_token);
    await endLogins(client, T0 + 10);
    const response = await server.refresh(client, next.refresh_token);
    expect(await refusal(response)).toEqual(ended);
  });

  it("is not active at introspection, and is not listed", async () => {
    const client = await server.makeClient();
    const subject = crypto.randomUUID();
    const tokens = await server.login(client, { subject });
    at(10);
    await endLogins(client);
    for (const token of [tokens.access_token, tokens.refresh_token])
      expect(await introspect(client, token)).toEqual(inactive);
    const path = `/subjects/${subject}/grants`;
    expect(await server.expectAdmin("GET", path)).toEqual({ grants: [] });
  });

  it("changes no login of another client, and none that begins later", async () => {
    const [client, other] = [
      await server.makeClient(),
      await server.makeClient(),
    ];
    const others = await server.login(other);
    at(10);
    await endLogins(client);
    at(11);
    const later = await server.login(client);
    expect(await introspect(client, later.access_token)).toMatchObject({
      active: true,
    });
    await server.expectRefresh(client, later.refresh_token);
    await server.expectRefresh(other, others.refresh_token);
  });

  it("can still be revoked by its client", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    at(10);
    await endLogins(client);
    const response = await server.about("/revoke", client, refresh_token);
    expect(response.status).toBe(200);
  });

  it("ends when a used token comes back, too", async () => {
    const client = await server.makeClient({
      refresh_token_retry_window: "PT1M",
    });
    const { refresh_token } = await server.login(client);
    await server.expectRefresh(client, refresh_token);
    at(10);
    await endLogins(client);
    const retry = await server.refresh(client, refresh_token);
    expect(await refusal(retry)).toEqual(ended);
  });
});

describe("what else is from before tokens_not_before", () => {
  it("a code that was authorized by then is refused, and one from after it is good", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    at(10);
    await endLogins(client);
    at(20);
    expect(await refusal(await redeem(client, code))).toEqual(ended);
    await expectTokens(await redeem(client, await obtainCode(client)));
  });

  it("a login is as old as its code, so a code that slipped through helps only until the next refresh", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    at(30);
    const { refresh_token } = await expectTokens(await redeem(client, code));
    await endLogins(client, T0 + 10);
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual(ended);
  });

  it("a login by the admin API in the very second is refused", async () => {
    const client = await server.makeClient();
    await endLogins(client);
    const body = { client_id: client.client_id, subject: "alice" };
    const response = await server.admin("POST", "/grants", body);
    expect(await refusal(response)).toEqual(ended);
  });

  it("a token of the client itself is not active, by its iat", async () => {
    const client = await server.makeClient({
      grant_types: ["client_credentials"],
    });
    const own = async () => {
      const { client_id, client_secret } = client;
      const grant_type = "client_credentials";
      const response = await server.token({
        grant_type,
        client_id,
        client_secret,
      });
      return (await expectTokens(response)).access_token;
    };
    const before = await own();
    at(10);
    await endLogins(client);
    at(11);
    const after = await own();
    expect(decodeJwt(after).iat).toBe(T0 + 11);
    expect(await introspect(client, before)).toEqual(inactive);
    expect(await introspect(client, after)).toMatchObject({ active: true });
  });
});

describe("a league token of a client with tokens_not_before", () => {
  const league = leagueServer("defuse");

  it("is refused and begins nothing, because nobody knows when its user signed in", async () => {
    const client_id = crypto.randomUUID();
    const client = await takeOver(league, client_id);
    const refresh_token_id = newTokenId();
    const token = await oldToken({ client_id, refresh_token_id });
    await endLogins(client);
    at(20);
    for (const _ of [1, 2])
      expect(await refusal(await league.refresh(client, token))).toEqual(ended);
    expect(await introspect(client, token, league)).toEqual(inactive);
    const family = env.TOKEN_FAMILY.getByName(refresh_token_id);
    expect(await storageOf(family)).toEqual({ rows: 0, alarm: null });
  });

  it("ends the login that came from it", async () => {
    const client_id = crypto.randomUUID();
    const client = await takeOver(league, client_id);
    const token = await oldToken({ client_id, refresh_token_id: newTokenId() });
    const { refresh_token, access_token } = await league.expectRefresh(
      client,
      token,
    );
    at(10);
    await endLogins(client);
    at(11);
    expect(await introspect(client, access_token)).toEqual(inactive);
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual(ended);
    expect((await league.refresh(client, token)).status).toBe(400);
  });
});

describe("a client that becomes public", () => {
  it("loses all that it had with its secret", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    at(10);
    const response = await patch(client, {
      token_endpoint_auth_method: "none",
    });
    expect(await response.json()).toMatchObject({ tokens_not_before: T0 + 10 });
    at(20);
    const { client_id } = client;
    const refresh = await server.refresh({ client_id }, refresh_token);
    expect(await refusal(refresh)).toEqual(ended);
    const { refresh_token: later } = await server.login(client);
    await server.expectRefresh({ client_id }, later);
  });

  it("loses it even if the same request names an earlier time", async () => {
    const client = await server.makeClient();
    at(10);
    const response = await patch(client, {
      token_endpoint_auth_method: "none",
      tokens_not_before: T0,
    });
    expect(await response.json()).toMatchObject({ tokens_not_before: T0 + 10 });
  });

  it("loses nothing if it was public before", async () => {
    const client = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const { refresh_token } = await server.login(client);
    at(10);
    const fields = { token_endpoint_auth_method: "none", client_name: "app" };
    const response = await patch(client, fields);
    expect(await response.json()).not.toHaveProperty("tokens_not_before");
    await server.expectRefresh(client, refresh_token);
  });
});

describe("PATCH of tokens_not_before", () => {
  it("takes the server's time for now, and seconds since 1970", async () => {
    const client = await server.makeClient();
    expect(await endLogins(client, T0 - 60)).toMatchObject({
      tokens_not_before: T0 - 60,
    });
    at(10);
    expect(await endLogins(client)).toMatchObject({
      tokens_not_before: T0 + 10,
    });
    const path = `/clients/${client.client_id}`;
    expect(await server.expectAdmin("GET", path)).toMatchObject({
      tokens_not_before: T0 + 10,
    });
  });

  it("takes a time that is a minute ahead, because clocks differ", async () => {
    const client = await server.makeClient();
    await endLogins(client, T0 + 60);
    expect(await endLogins(client)).toMatchObject({
      tokens_not_before: T0 + 60,
    });
  });

  it.each([
    ["the future", T0 + 61],
    ["milliseconds", T0 * 1000],
    ["a negative number", -1],
    ["a fraction", T0 + 0.5],
    ["another word", "today"],
    ["null, which would remove it", null],
    ["an earlier time, because what has ended stays ended", T0 - 101],
  ])("refuses %s, and changes nothing", async (_, tokens_not_before) => {
    const client = await server.makeClient();
    await endLogins(client, T0 - 100);
    const response = await patch(client, { tokens_not_before });
    const fields = await fieldErrors(response);
    expect(Object.keys(fields)).toEqual(["tokens_not_before"]);
    const path = `/clients/${client.client_id}`;
    expect(await server.expectAdmin("GET", path)).toMatchObject({
      tokens_not_before: T0 - 100,
    });
  });

  it("is kept by other changes", async () => {
    const client = await server.makeClient();
    await endLogins(client);
    const response = await patch(client, { client_name: "App" });
    expect(await response.json()).toMatchObject({ tokens_not_before: T0 });
  });

  it("is not for a new client", async () => {
    const response = await server.admin("POST", "/clients", {
      tokens_not_before: T0,
    });
    expect(await fieldErrors(response)).toHaveProperty("tokens_not_before");
  });
});
