import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  expectTokens,
  makeWebClient,
  obtainCode,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { leagueServer, oldToken, takeOver } from "../support/league.ts";
import { refusal, server, type TestClient } from "../support/server.ts";

/** A resource that a client gets later is not reachable by an older login (RFC 8707). */

const notes = "https://notes.example.com";
const bank = "https://bank.example.com";
const refused = [400, "invalid_target", "resource_not_allowed"];

beforeAll(() => server.makeScopes("read", "write"));

async function setResources(
  { client_id }: TestClient,
  resources: string[],
): Promise<void> {
  await server.expectAdmin("PATCH", `/clients/${client_id}`, { resources });
}

/** Begins a login that names no resource, in each of the ways that there are. */
const beginnings: [
  name: string,
  begin: (resources: string[]) => Promise<[TestClient, string]>,
][] = [
  [
    "by the admin API",
    async (resources) => {
      const client = await server.makeClient({ resources });
      return [client, (await server.login(client)).refresh_token];
    },
  ],
  [
    "by a code",
    async (resources) => {
      const client = await makeWebClient({ resources });
      const response = await redeem(client, await obtainCode(client));
      return [client, (await expectTokens(response)).refresh_token];
    },
  ],
  [
    "by a league token",
    async (resources) => {
      const league = leagueServer("defuse");
      const client_id = crypto.randomUUID();
      const client = await takeOver(league, client_id, { resources });
      const token = await oldToken({ client_id });
      const { refresh_token } = await league.expectRefresh(client, token);
      return [client, refresh_token];
    },
  ],
];

describe.each(beginnings)(
  "a login that began %s and names no resource",
  (_, begin) => {
    it("may choose what its client could ask for then, and nothing that came later", async () => {
      const [client, first] = await begin([notes]);
      await setResources(client, [notes, bank]);
      const later = await server.refresh(client, first, { resource: bank });
      expect(await refusal(later)).toEqual(refused);
      const next = await server.expectRefresh(client, first, {
        resource: notes,
      });
      expect(decodeJwt(next.access_token).aud).toBe(notes);
      const both = await server.refresh(client, next.refresh_token, [
        ["resource", notes],
        ["resource", bank],
      ]);
      expect(await refusal(both)).toEqual(refused);
      // Without a resource it goes on as before.
      await server.expectRefresh(client, next.refresh_token);
    });

    it("may choose none if its client had none", async () => {
      const [client, first] = await begin([]);
      await setResources(client, [bank]);
      const response = await server.refresh(client, first, { resource: bank });
      expect(await refusal(response)).toEqual(refused);
    });

    it("gets back what its client lost meanwhile", async () => {
      const [client, first] = await begin([notes]);
      await setResources(client, []);
      const lost = await server.refresh(client, first, { resource: notes });
      expect(await refusal(lost)).toEqual(refused);
      await setResources(client, [notes]);
      await server.expectRefresh(client, first, { resource: notes });
    });
  },
);

describe("a later login", () => {
  it("may choose what its client has got", async () => {
    const client = await server.makeClient({ resources: [notes] });
    await setResources(client, [notes, bank]);
    const { refresh_token } = await server.login(client);
    await server.expectRefresh(client, refresh_token, { resource: bank });
  });
});

describe("a code", () => {
  it("gets no token for a resource that its client got after the authorization request", async () => {
    const client = await makeWebClient({ resources: [notes] });
    const code = await obtainCode(client);
    await setResources(client, [notes, bank]);
    const later = await redeem(client, code, { resource: bank });
    expect(await refusal(later)).toEqual(refused);
    const tokens = await expectTokens(
      await redeem(client, code, { resource: notes }),
    );
    expect(decodeJwt(tokens.access_token).aud).toBe(notes);
  });

  it("has room for a client with the most resources, as long as a request of the admin API allows", async () => {
    const resources = Array.from({ length: 100 }, (_, number) =>
      `https://${number}.example.com/`.padEnd(150, "x"),
    );
    const client = await makeWebClient({ resources });
    expect((await requestAtLogin(client)).length).toBeLessThan(5_000);
    const response = await redeem(client, await obtainCode(client));
    const { refresh_token } = await expectTokens(response);
    const next = await server.expectRefresh(client, refresh_token, {
      resource: resources[99]!,
    });
    expect(decodeJwt(next.access_token).aud).toBe(resources[99]);
  });
});
