import { env } from "cloudflare:workers";
import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { countingBindings } from "../../support/counting.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../../support/server.ts";

/** The format of refresh tokens: what a forged one costs, and the keys that make and accept them. */

const PREFIX = "baton_rt_";

let client: TestClient;

beforeAll(async () => {
  client = await server.makeClient();
});

function newKey(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString(
    "base64",
  );
}

describe("a forged refresh token", () => {
  it("with any bit flipped gets invalid_grant, and costs no object call, no read and no write", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const { refresh_token } = await counted.login(client);
    await counted.refresh(client, `${PREFIX}garbage`);
    const bytes = base64url.decode(refresh_token.slice(PREFIX.length));
    const before = { ...calls };
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = bytes.slice();
      forged[bit >> 3]! ^= 1 << (bit & 7);
      const response = await counted.refresh(
        client,
        PREFIX + base64url.encode(forged),
      );
      // The first byte is the version of the format.
      const reason =
        bit < 8 ? "refresh_token_malformed" : "refresh_token_forged";
      expect([bit, ...(await refusal(response))]).toEqual([
        bit,
        400,
        "invalid_grant",
        reason,
      ]);
    }
    expect(calls).toEqual(before);
    await counted.expectRefresh(client, refresh_token);
  });

  it("with random bytes in the right format gets invalid_grant, and costs no object call, no read and no write", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    await counted.refresh(client, "x");
    const before = { ...calls };
    for (let attempt = 0; attempt < 100; attempt++) {
      const random = crypto.getRandomValues(new Uint8Array(105));
      random[0] = 1;
      const response = await counted.refresh(
        client,
        PREFIX + base64url.encode(random),
      );
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_forged",
      ]);
    }
    expect(calls).toEqual(before);
  });

  it.each([
    ["no prefix", (token: string) => token.slice(PREFIX.length)],
    ["another prefix", (token: string) => token.replace(PREFIX, "baton_ac_")],
    [
      "the prefix in capitals",
      (token: string) => token.replace(PREFIX, PREFIX.toUpperCase()),
    ],
    ["padding", (token: string) => `${token}=`],
    ["full padding", (token: string) => `${token}====`],
    ["a space at its end", (token: string) => `${token} `],
    ["a space before it", (token: string) => ` ${token}`],
    ["a line break at its end", (token: string) => `${token}\n`],
    [
      "a line break inside",
      (token: string) => `${token.slice(0, 80)}\r\n${token.slice(80)}`,
    ],
    ["one character less", (token: string) => token.slice(0, -1)],
    ["one character more", (token: string) => `${token}A`],
    ["a null character at its end", (token: string) => `${token}\0`],
    ["the whole token twice", (token: string) => token + token],
    [
      "a letter that only looks the same",
      (token: string) => token.replace("a", "а"),
    ],
  ])("with %s is refused, and the real token stays good", async (_, spell) => {
    const { refresh_token } = await server.login(client);
    const response = await server.refresh(client, spell(refresh_token));
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_malformed",
    ]);
    await server.expectRefresh(client, refresh_token);
  });

  it("in upper case is refused, and the real token stays good", async () => {
    const { refresh_token } = await server.login(client);
    // The characters that hold the version stay, because with another version the token is malformed.
    const start = refresh_token.slice(0, PREFIX.length + 4);
    const upper = refresh_token.slice(start.length).toUpperCase();
    const response = await server.refresh(client, start + upper);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_forged",
    ]);
    await server.expectRefresh(client, refresh_token);
  });

  it("in the other base64 alphabet is refused, and the real token stays good", async () => {
    for (;;) {
      const { refresh_token } = await server.login(client);
      const body = refresh_token.slice(PREFIX.length);
      if (!/[-_]/.test(body)) continue;
      const respelled = PREFIX + body.replaceAll("-", "+").replaceAll("_", "/");
      const response = await server.refresh(client, respelled);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_grant",
        "refresh_token_malformed",
      ]);
      await server.expectRefresh(client, refresh_token);
      return;
    }
  });

  it("of another deployment with other keys gets invalid_grant", async () => {
    const elsewhere = serverWith({ ENCRYPTION_KEY: newKey() });
    const { refresh_token } = await elsewhere.login(client);
    const response = await server.refresh(client, refresh_token);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_grant",
      "refresh_token_forged",
    ]);
  });

  it("made with the real keys but without the family secret gets invalid_grant, and does not harm the family", async () => {
    const { verifyRefreshToken, issueRefreshToken } =
      await import("../../../src/oauth/tokens/refresh-token.ts");
    const { deriveTokenKey } =
      await import("../../../src/oauth/tokens/token-keys.ts");
    const keys = [
      await deriveTokenKey(Buffer.from(env.ENCRYPTION_KEY, "base64")),
    ] as const;
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    const claims = await verifyRefreshToken(keys, second.refresh_token);
    if (typeof claims === "string") throw new Error(claims);
    const family_secret = new Uint8Array(24);
    for (const generation of [1, 2, 3]) {
      const forged = await issueRefreshToken(keys[0], {
        ...claims,
        generation,
        family_secret,
      });
      expect(await refusal(await server.refresh(client, forged))).toEqual([
        400,
        "invalid_grant",
        "refresh_token_forged",
      ]);
    }
    const ahead = await issueRefreshToken(keys[0], {
      ...claims,
      generation: 3,
    });
    expect(await refusal(await server.refresh(client, ahead))).toEqual([
      400,
      "invalid_grant",
      "refresh_token_forged",
    ]);
    await server.expectRefresh(client, second.refresh_token);
  });

  it("made with the real keys for an object of another namespace gets invalid_grant, and is not a server error", async () => {
    const { issueRefreshToken } =
      await import("../../../src/oauth/tokens/refresh-token.ts");
    const { deriveTokenKey } =
      await import("../../../src/oauth/tokens/token-keys.ts");
    const keys = [
      await deriveTokenKey(Buffer.from(env.ENCRYPTION_KEY, "base64")),
    ] as const;
    const stray = await issueRefreshToken(keys[0], {
      family_id: crypto.getRandomValues(new Uint8Array(32)),
      generation: 1,
      expires_at: Math.floor(Date.now() / 1000) + 60,
      family_secret: new Uint8Array(24),
    });
    expect(await refusal(await server.refresh(client, stray))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });
});

describe("ENCRYPTION_KEY", () => {
  it("can be rotated without logging anybody out", async () => {
    const [oldKey, newerKey] = [newKey(), newKey()];
    const before = serverWith({ ENCRYPTION_KEY: oldKey });
    const during = serverWith({ ENCRYPTION_KEY: `${newerKey}, ${oldKey}` });
    const afterwards = serverWith({ ENCRYPTION_KEY: newerKey });
    const first = await before.login(client);
    const second = await during.expectRefresh(client, first.refresh_token);
    const third = await afterwards.expectRefresh(client, second.refresh_token);
    await during.expectRefresh(client, third.refresh_token);
  });

  it("makes tokens with its first key only", async () => {
    const [first, second] = [newKey(), newKey()];
    const both = serverWith({ ENCRYPTION_KEY: `${first},${second}` });
    const { refresh_token } = await both.login(client);
    const onlySecond = serverWith({ ENCRYPTION_KEY: second });
    expect(
      await refusal(await onlySecond.refresh(client, refresh_token)),
    ).toEqual([400, "invalid_grant", "refresh_token_forged"]);
    await serverWith({ ENCRYPTION_KEY: first }).expectRefresh(
      client,
      refresh_token,
    );
  });
});
