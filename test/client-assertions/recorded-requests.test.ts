import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { makeWebClient, obtainCode, redeem } from "../support/authorization.ts";
import { KeyClient, makeKey } from "../support/assertions.ts";
import { type Chain, makeChain, rowsWritten } from "../support/bound-login.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { refusal, server, type Tokens } from "../support/server.ts";

/** Tests what somebody can do who has recorded requests of a client with `private_key_jwt`. */

const recorded = [401, "invalid_client", "client_assertion_recorded"];
let lines: string[];
let client: KeyClient;

beforeAll(async () => {
  client = await KeyClient.make();
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const now = () => Math.floor(Date.now() / 1000);

const eventsOf = ({ grant_id }: Chain) =>
  parsedLog(lines).filter(
    ({ event, grant_id: id }) => event !== "request" && id === grant_id,
  );

async function tokensOf(response: Response): Promise<Tokens> {
  expect(response.status).toBe(200);
  return response.json<Tokens>();
}

/** Makes a request that is sent as often as it is called. */
async function requestOf(
  refresh_token: string,
  claims: Record<string, unknown> = {},
  of = client,
) {
  const form = {
    grant_type: "refresh_token",
    refresh_token,
    ...(await of.parameters({ claims })),
  };
  return () => server.token(form);
}

describe("a thief who has recorded a refresh of a client with private_key_jwt", () => {
  it("gets nothing, changes nothing, is an alarm that names the login, and the holder may be late", async () => {
    const chain = await makeChain(client, undefined);
    const [first = ""] = chain.tokens;
    const request = await requestOf(first);
    const second = await tokensOf(await request());
    const rows = await rowsWritten(chain);
    lines = listenToLog();
    expect(await refusal(await request())).toEqual(recorded);
    const alarm = {
      event: "refresh_token.stolen",
      client_id: client.client_id,
      subject: chain.subject,
      grant_id: chain.grant_id,
      reason: "recorded_assertion",
      generation: 1,
      newest_generation: 2,
    };
    const failed = {
      event: "client_authentication.failed",
      reason: "client_assertion_recorded",
    };
    expect(eventsOf(chain)).toMatchObject([alarm]);
    expect(parsedLog(lines)).toContainEqual(expect.objectContaining(failed));
    expect(await rowsWritten(chain)).toBe(rows);
    expect(await client.expectRefresh(first)).toBe(second.refresh_token);
    await client.expectRefresh(second.refresh_token);
    expect(await refusal(await request())).toEqual(recorded);
  });

  it("gets nothing when the holder has refreshed twice in the same second, by whichever clock", async () => {
    const [first = ""] = (await makeChain(client, undefined)).tokens;
    const time = now();
    const requests = [];
    let newest = first;
    for (const ahead of [5, 0, 5, 0]) {
      const request = await requestOf(newest, { iat: time + ahead });
      newest = (await tokensOf(await request())).refresh_token;
      requests.push(request);
    }
    for (const request of requests)
      expect(await refusal(await request())).toEqual(recorded);
    const late = await requestOf(first, { iat: time });
    expect((await tokensOf(await late())).refresh_token).toBe(newest);
  });

  it("gets nothing when more has happened since than the login remembers", async () => {
    const [first = ""] = (await makeChain(client, undefined)).tokens;
    const time = now();
    const requests = [];
    let newest = first;
    for (let count = 0; count < 10; count += 1) {
      const request = await requestOf(newest, { iat: time });
      newest = (await tokensOf(await request())).refresh_token;
      requests.push(request);
    }
    for (const request of requests)
      expect(await refusal(await request())).toEqual(recorded);
    const late = await requestOf(first, { iat: time + 1 });
    expect((await tokensOf(await late())).refresh_token).toBe(newest);
  });

  it("gets nothing with a request whose assertion is more than a minute older than the newest one, and the holder with none either", async () => {
    const [first = ""] = (await makeChain(client, undefined)).tokens;
    const time = now();
    const request = await requestOf(first, { iat: time });
    await tokensOf(await request());
    const older = await requestOf(first, { iat: time - 61 });
    expect(await refusal(await older())).toEqual(recorded);
    const justOldEnough = await requestOf(first, { iat: time - 60 });
    await tokensOf(await justOldEnough());
  });

  it("gets nothing with the request of a late holder, which is an alarm too", async () => {
    const chain = await makeChain(client, undefined);
    const [first = ""] = chain.tokens;
    const second = await client.expectRefresh(first);
    const late = await requestOf(first);
    expect((await tokensOf(await late())).refresh_token).toBe(second);
    lines = listenToLog();
    expect(await refusal(await late())).toEqual([
      401,
      "invalid_client",
      "client_assertion_used",
    ]);
    expect(eventsOf(chain)).toMatchObject([
      { event: "refresh_token.stolen", reason: "recorded_assertion" },
    ]);
    await client.expectRefresh(second);
  });

  it("ends no login of a client that sends one assertion until it expires", async () => {
    const [first = ""] = (await makeChain(client, undefined)).tokens;
    const jti = crypto.randomUUID();
    const iat = now();
    let newest = first;
    for (let count = 0; count < 10; count += 1) {
      const request = await requestOf(newest, { jti, iat });
      newest = (await tokensOf(await request())).refresh_token;
    }
    const late = await requestOf(first, { jti, iat });
    expect(await refusal(await late())).toEqual(recorded);
    expect(await client.expectRefresh(first)).toBe(newest);
  });

  it("gets nothing with an assertion without iat, and a holder who is late with one keeps the login", async () => {
    const chain = await makeChain(client, undefined);
    const [first = ""] = chain.tokens;
    const undated = { claims: { iat: undefined } };
    const request = await requestOf(first, undated.claims);
    const second = await tokensOf(await request());
    lines = listenToLog();
    expect(await refusal(await request())).toEqual(recorded);
    expect(await refusal(await client.refresh(first, undated))).toEqual(
      recorded,
    );
    expect(eventsOf(chain)).toMatchObject([
      { reason: "recorded_assertion" },
      { reason: "recorded_assertion" },
    ]);
    expect(await client.expectRefresh(first)).toBe(second.refresh_token);
  });

  it("gets nothing of a client that had a secret before, and the holder may be late at once", async () => {
    const other = await server.makeClient();
    const { refresh_token } = await server.login(other);
    const second = await server.expectRefresh(other, refresh_token);
    const { key } = client;
    await server.expectAdmin("PATCH", `/clients/${other.client_id}`, {
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [key.jwk] },
    });
    const keyed = new KeyClient(other.client_id, key, server);
    const old = { claims: { iat: now() - 120 } };
    expect(await refusal(await keyed.refresh(refresh_token, old))).toEqual(
      recorded,
    );
    expect(await keyed.expectRefresh(refresh_token)).toBe(second.refresh_token);
  });
});

describe("a thief who has recorded a refresh of a client whose holders may not be late", () => {
  it("does not end the login with it", async () => {
    const strict = await KeyClient.make({ refresh_token_catch_up: "PT0S" });
    const [first = ""] = (await makeChain(strict, undefined)).tokens;
    const request = await requestOf(first, {}, strict);
    const second = await tokensOf(await request());
    expect(await refusal(await request())).toEqual(recorded);
    await strict.expectRefresh(second.refresh_token);
  });
});

describe("a thief who has recorded the refreshes of several logins of a client with private_key_jwt", () => {
  it("gets nothing of one with an assertion of another that is more than five minutes old", async () => {
    const [first = ""] = (await makeChain(client, undefined)).tokens;
    const hour = { iat: now() - 400, exp: now() + 3000 };
    const second = await tokensOf(await (await requestOf(first, hour))());
    const others = await requestOf(first, { ...hour, iat: now() - 301 });
    expect(await refusal(await others())).toEqual(recorded);
    await client.expectRefresh(second.refresh_token);
  });
});

describe("a thief who has recorded the code exchange of a client with private_key_jwt", () => {
  let site: KeyClient;

  beforeAll(async () => {
    const key = await makeKey();
    const { client_id } = await makeWebClient({
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [key.jwk] },
    });
    site = new KeyClient(client_id, key, server);
  });

  it("ends no login with it, also after ten seconds", async () => {
    const code = await obtainCode(site);
    const { client_id } = site;
    const claims = { exp: now() + 300 };
    const assertion = await site.parameters({ claims });
    const exchange = () => redeem({ client_id }, code, assertion);
    const { refresh_token } = await tokensOf(await exchange());
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
    expect(await refusal(await exchange())).toEqual([
      400,
      "invalid_grant",
      "authorization_code_repeated",
    ]);
    await site.expectRefresh(refresh_token);
  });

  it("gets nothing with its assertion and a used token of that login", async () => {
    const code = await obtainCode(site);
    const { client_id } = site;
    const assertion = await site.parameters();
    const { refresh_token } = await tokensOf(
      await redeem({ client_id }, code, assertion),
    );
    const second = await site.expectRefresh(refresh_token);
    const stolen = { grant_type: "refresh_token", refresh_token };
    const theft = await server.token({ ...stolen, ...assertion });
    expect(await refusal(theft)).toEqual(recorded);
    await site.expectRefresh(second);
  });
});
