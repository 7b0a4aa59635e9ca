import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { KeyClient } from "../support/assertions.ts";
import { type Chain, makeChain, rowsWritten } from "../support/bound-login.ts";
import { makeProofKey, type ProofKey } from "../support/dpop.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { proofOf, proving } from "../support/proving.ts";
import { refusal, server, type TestServer } from "../support/server.ts";

/** Tests what somebody can do who has stolen a refresh token, at any time, with and without a key of his own. */

let app: { client_id: string };
let key: ProofKey;
let thiefsKey: ProofKey;
let lines: string[];

beforeAll(async () => {
  app = await server.makeClient({ token_endpoint_auth_method: "none" });
  key = await makeProofKey();
  thiefsKey = await makeProofKey();
});

afterEach(() => {
  vi.restoreAllMocks();
});

const proofMissing = [400, "invalid_dpop_proof", "refresh_token_proof_missing"];
const ofAnotherKey = [400, "invalid_grant", "refresh_token_of_another_key"];
const reused = [400, "invalid_grant", "refresh_token_reused"];
const ended = [400, "invalid_grant", "family_ended"];

const eventsOf = ({ grant_id }: Chain) =>
  parsedLog(lines).filter(
    ({ event, grant_id: id }) => event !== "request" && id === grant_id,
  );

/** Three refreshes. The tokens: the first, one of long ago, one that was used once, and the newest. */
const positions = ["first", "old", "used once", "newest"] as const;

describe.each(positions)("a stolen token of a bound login, the %s,", (name) => {
  const position = positions.indexOf(name);

  it.each([
    ["without a proof", () => server, proofMissing, "proof_missing"],
    [
      "with the thief's own key",
      () => proving(thiefsKey),
      ofAnotherKey,
      "another_key",
    ],
  ] as const)(
    "%s changes nothing, before and after the holder's refresh, and is an alarm that names the login",
    async (_, thief: () => TestServer, refused, reason) => {
      const chain = await makeChain(app, key, { refreshes: 3 });
      const token = chain.tokens[position]!;
      const rows = await rowsWritten(chain);
      lines = listenToLog();
      const steal = async () =>
        expect(await refusal(await thief().refresh(app, token))).toEqual(
          refused,
        );
      await steal();
      await steal();
      expect(await rowsWritten(chain)).toBe(rows);
      const alarm = {
        event: "refresh_token.stolen",
        client_id: app.client_id,
        subject: chain.subject,
        grant_id: chain.grant_id,
        reason,
        generation: position + 1,
        newest_generation: 4,
      };
      expect(eventsOf(chain)).toMatchObject([alarm, alarm]);

      const of = proving(key);
      const next = await of.expectRefresh(app, chain.tokens[3]!);
      await steal();
      expect(eventsOf(chain)[2]).toMatchObject({
        ...alarm,
        newest_generation: 5,
      });
      await of.expectRefresh(app, next.refresh_token);
    },
  );
});

describe("a thief of a bound login", () => {
  it("gets nothing while the holder refreshes at the same time, and the holder does", async () => {
    const { tokens } = await makeChain(app, key, { refreshes: 1 });
    const [own, ...stolen] = await Promise.all([
      proving(key).refresh(app, tokens[1]!),
      ...[server, proving(thiefsKey)].flatMap((thief) =>
        tokens.map((token) => thief.refresh(app, token)),
      ),
    ]);
    expect(own?.status).toBe(200);
    for (const answer of stolen) expect(answer.status).toBe(400);
  });

  it("gets nothing of use with a recorded proof: the tokens need the key again, and the holder goes on", async () => {
    const { tokens } = await makeChain(app, key, { refreshes: 1 });
    const recorded = await proofOf(key);
    const holders = proving(key);
    const thiefs = await proving(recorded).expectRefresh(app, tokens[1]!);
    expect(thiefs.token_type).toBe("DPoP");
    expect(decodeJwt(thiefs.access_token).cnf).toEqual({ jkt: key.jkt });
    expect(
      await refusal(
        await proving(thiefsKey).refresh(app, thiefs.refresh_token),
      ),
    ).toEqual(ofAnotherKey);
    const late = await holders.expectRefresh(app, tokens[1]!);
    expect(late.refresh_token).toBe(thiefs.refresh_token);
    await holders.expectRefresh(app, late.refresh_token);
  });

  it("gets nothing with a proof that was made for an API or for another method", async () => {
    const { tokens } = await makeChain(app, key);
    for (const claims of [
      { htu: "https://api.example.com/" },
      { htm: "GET" },
    ]) {
      const stolen = proving(await proofOf(key, claims));
      expect(await refusal(await stolen.refresh(app, tokens[0]!))).toEqual([
        400,
        "invalid_dpop_proof",
        "dpop_proof_invalid",
      ]);
    }
    await proving(key).expectRefresh(app, tokens[0]!);
  });

  it("may end the login by /revoke, because a finder may (RFC 7009 knows no proof)", async () => {
    const { tokens } = await makeChain(app, key, { refreshes: 1 });
    const revoked = await server.about("/revoke", app, tokens[0]!);
    expect(revoked.status).toBe(200);
    expect(await refusal(await proving(key).refresh(app, tokens[1]!))).toEqual(
      ended,
    );
  });
});

describe("a thief of a token of an app that always proves its key", () => {
  it("is refused without a proof before the login is asked, and is an alarm that names it", async () => {
    const careful = await server.makeClient({
      token_endpoint_auth_method: "none",
      dpop_bound_access_tokens: true,
    });
    const chain = await makeChain(careful, key, { refreshes: 1 });
    lines = listenToLog();
    for (const token of chain.tokens)
      expect(await refusal(await server.refresh(careful, token))).toEqual([
        400,
        "invalid_dpop_proof",
        "dpop_proof_missing",
      ]);
    const alarm = { event: "refresh_token.stolen", reason: "proof_missing" };
    expect(eventsOf(chain)).toMatchObject([alarm, alarm]);
    await server.refresh(careful, "no token of this server");
    expect(eventsOf(chain)).toHaveLength(2);
    await proving(key).expectRefresh(careful, chain.newest.refresh_token);
  });
});

describe("a thief of a bearer token of an app that may prove a key", () => {
  it.each([
    ["without a key", () => server],
    ["who binds the login to a key of his own", () => proving(thiefsKey)],
  ])(
    "%s loses the login when the holder refreshes, with and without a key",
    async (_, thief: () => TestServer) => {
      for (const holder of [server, proving(key)]) {
        const chain = await makeChain(app, undefined, { refreshes: 1 });
        const token = chain.tokens[1]!;
        const stolen = await thief().expectRefresh(app, token);
        lines = listenToLog();
        expect(await refusal(await holder.refresh(app, token))).toEqual(reused);
        expect(
          await refusal(await thief().refresh(app, stolen.refresh_token)),
        ).toEqual(ended);
        expect(eventsOf(chain)).toMatchObject([
          { event: "refresh_token.reused", subject: chain.subject },
        ]);
        vi.restoreAllMocks();
      }
    },
  );

  it("who binds it looks like theft in the alarm, although the successor is unused", async () => {
    const chain = await makeChain(app, undefined);
    await proving(thiefsKey).expectRefresh(app, chain.tokens[0]!);
    lines = listenToLog();
    await server.refresh(app, chain.tokens[0]!);
    expect(eventsOf(chain)).toMatchObject([{ looks_like: "theft" }]);
  });

  it("cannot use a retry window after he has bound the login, and neither can the holder beside him", async () => {
    const refresh_token_retry_window = "PT1M";
    const patient = await server.makeClient({
      token_endpoint_auth_method: "none",
      refresh_token_retry_window,
    });
    const { tokens } = await makeChain(patient, undefined);
    const thief = proving(thiefsKey);
    const stolen = await thief.expectRefresh(patient, tokens[0]!);
    expect(await refusal(await server.refresh(patient, tokens[0]!))).toEqual(
      reused,
    );
    expect(
      await refusal(await thief.refresh(patient, stolen.refresh_token)),
    ).toEqual(ended);
  });

  it("gets nothing once the holder has bound the login, and his bearer token ends it, because nobody knows who has bound it", async () => {
    const chain = await makeChain(app, undefined, { refreshes: 1 });
    const bound = await proving(key).expectRefresh(app, chain.tokens[1]!);
    // The holder may be late with any token from before, with the key.
    for (const token of chain.tokens)
      expect(await proving(key).expectRefresh(app, token)).toMatchObject({
        refresh_token: bound.refresh_token,
      });
    lines = listenToLog();
    expect(
      await refusal(await server.refresh(app, bound.refresh_token)),
    ).toEqual(proofMissing);
    expect(await refusal(await server.refresh(app, chain.tokens[0]!))).toEqual(
      reused,
    );
    expect(
      await refusal(await proving(key).refresh(app, bound.refresh_token)),
    ).toEqual(ended);
    expect(eventsOf(chain)).toMatchObject([
      { event: "refresh_token.stolen" },
      { event: "refresh_token.reused", looks_like: "theft" },
    ]);
  });
});

describe("a thief of a token of a client that authenticates by a key", () => {
  const unauthenticated = [
    401,
    "invalid_client",
    "client_authentication_method_wrong",
  ];

  it("is refused, changes nothing, and is an alarm that names the login", async () => {
    const client = await KeyClient.make();
    const chain = await makeChain(client, undefined);
    lines = listenToLog();
    const [token = ""] = chain.tokens;
    expect(await refusal(await server.refresh(client, token))).toEqual(
      unauthenticated,
    );
    expect(eventsOf(chain)).toMatchObject([
      {
        event: "refresh_token.stolen",
        client_id: client.client_id,
        reason: "client_authentication",
        generation: 1,
      },
    ]);
    expect((await client.refresh(token)).status).toBe(200);
  });

  it("is an alarm for an assertion of another key, too, and for no forged token", async () => {
    const client = await KeyClient.make();
    const other = await KeyClient.make();
    const chain = await makeChain(client, undefined);
    lines = listenToLog();
    const thief = new KeyClient(client.client_id, other.key, server);
    const [token = ""] = chain.tokens;
    expect((await thief.refresh(token)).status).toBe(401);
    expect(eventsOf(chain)).toHaveLength(1);
    const forged =
      token.slice(0, -4) + (token.endsWith("AAAA") ? "BBBB" : "AAAA");
    expect((await thief.refresh(forged)).status).toBe(401);
    const alarms = parsedLog(lines).filter(
      ({ event }) => event === "refresh_token.stolen",
    );
    expect(alarms).toHaveLength(1);
  });

  it("is no alarm for a client with a secret, whose wrong secret is an event already", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    lines = listenToLog();
    const wrong = { ...client, client_secret: "wrong" };
    expect((await server.refresh(wrong, refresh_token)).status).toBe(401);
    const events = parsedLog(lines).map(({ event }) => event);
    expect(events).toEqual(["client_authentication.failed", "request"]);
  });
});
