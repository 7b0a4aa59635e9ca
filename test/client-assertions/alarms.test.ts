import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type ClientKey,
  KeyClient,
  makeKey,
  type Saying,
} from "../support/assertions.ts";
import { KeySite } from "../support/key-site.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { refusal, serverWith } from "../support/server.ts";

/** Tests which refreshes of a client that has not authenticated are the alarm `refresh_token.stolen`, and its reason. */

let key: ClientKey;
let client: KeyClient;
let site: KeySite;
let lines: string[];

beforeEach(async () => {
  key = await makeKey("ES256", "one");
  site = new KeySite([key.jwk]);
  const { jwks_uri } = site;
  client = await KeyClient.make({ jwks_uri }, { key, at: serverWith({}) });
  lines = listenToLog();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Refreshes in vain. @returns why it is refused, and the reason of each alarm */
async function outcome(by: KeyClient, saying?: Saying): Promise<unknown[]> {
  const { refresh_token } = await client.login();
  const [, , reason] = await refusal(await by.refresh(refresh_token, saying));
  const alarms = parsedLog(lines).filter(
    ({ event }) => event === "refresh_token.stolen",
  );
  await client.expectRefresh(refresh_token);
  return [reason, ...alarms.map((alarm) => alarm.reason)];
}

const now = () => Math.floor(Date.now() / 1000);

describe("an assertion that is refused for its claims", () => {
  it.each([
    ["client_assertion_expired", () => ({ exp: now() - 600 })],
    ["client_assertion_early", () => ({ nbf: now() + 600 })],
    ["client_assertion_long_lived", () => ({ exp: now() + 86_400 })],
    ["client_assertion_audience_wrong", () => ({ aud: "https://a.example" })],
    ["client_assertion_issuer_wrong", () => ({ iss: "another" })],
    [
      "client_assertion_for_endpoint",
      () => ({ aud: "https://auth.example.com/access_token" }),
    ],
  ])(
    "is an alarm of its own, because it may be a recorded one or that of a client with a wrong clock: %s",
    async (refused, claims) =>
      expect(await outcome(client, { claims: claims() })).toEqual([
        refused,
        "assertion_claims",
      ]),
  );
});

describe("an assertion that proves no key of the client", () => {
  it("is the alarm of a client that has not authenticated", async () => {
    const stranger = await makeKey("ES256", "two");
    const thief = new KeyClient(client.client_id, stranger, client.server);
    expect(await outcome(thief)).toEqual([
      "client_assertion_key_unknown",
      "client_authentication",
    ]);
  });

  it("is the same alarm if it is something else that the key has signed", async () => {
    expect(await outcome(client, { header: { typ: "at+jwt" } })).toEqual([
      "client_assertion_of_another_kind",
      "client_authentication",
    ]);
  });
});

describe("keys that cannot be read from their jwks_uri", () => {
  it.each([
    ["client_keys_unreachable", () => site.goDown()],
    [
      "client_keys_invalid",
      () => {
        site.answer = () => site.serve({}, {}, 404);
      },
    ],
  ])(
    "are no alarm, because nobody knows who has signed: %s",
    async (refused, fail) => {
      fail();
      // An isolate that does not know the keys.
      const other = new KeyClient(client.client_id, key, serverWith({}));
      const { refresh_token } = await client.login();
      const [, , reason] = await refusal(await other.refresh(refresh_token));
      expect(reason).toBe(refused);
      expect(parsedLog(lines)).not.toContainEqual(
        expect.objectContaining({ event: "refresh_token.stolen" }),
      );
    },
  );
});
