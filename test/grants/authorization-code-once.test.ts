import { decodeJwt } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  location,
  makeWebClient,
  obtainCode,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
} from "../support/authorization.ts";
import { reasonOf } from "../support/request-lines.ts";
import { ISSUER, refusal, server } from "../support/server.ts";

/** Tests that a code can be redeemed once, in one spelling (RFC 6749 section 4.1.2), and its redirect. */

afterEach(() => {
  vi.useRealTimers();
});

describe("a second spelling of a code", () => {
  it.each([1, 4])(
    "is refused: unused bits, padding, white space (segment %i)",
    async (segment) => {
      const client = await makeWebClient();
      const code = await obtainCode(client);
      const parts = code.split(".");
      const part = parts[segment] ?? "";
      const alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      const last = alphabet.indexOf(part.at(-1) ?? "");
      // In base64url, the last character of 40 or 16 bytes has four unused bits.
      const respelled = part.slice(0, -1) + alphabet[last ^ 1];
      for (const spelling of [respelled, `${part}=`, `${part} `, `\t${part}`]) {
        const changed = parts.with(segment, spelling).join(".");
        expect(await refusal(await redeem(client, changed))).toEqual([
          400,
          "invalid_grant",
          "authorization_code_malformed",
        ]);
      }
      expect((await redeem(client, code)).status).toBe(200);
    },
  );
});

describe("a code", () => {
  it("can be redeemed once: a later redemption is refused and ends the login of the first", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const tokens = await expectTokens(await redeem(client, code));
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_reused",
    ]);
    expect(
      await refusal(await server.refresh(client, tokens.refresh_token)),
    ).toEqual([400, "invalid_grant", "family_ended"]);
    const state = await server.about(
      "/introspect",
      client,
      tokens.access_token,
    );
    expect(await state.json()).toEqual({ active: false });
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_reused",
    ]);
  });

  it("gets tokens for one of fifty simultaneous redemptions, whose login goes on", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const responses = await Promise.all(
      Array.from({ length: 50 }, () => redeem(client, code)),
    );
    const winners = responses.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    const { refresh_token } = await expectTokens(winners[0]!);
    await server.expectRefresh(client, refresh_token);
  });

  it("makes no new login after its login has ended", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const { refresh_token } = await expectTokens(await redeem(client, code));
    await server.about("/revoke", client, refresh_token);
    expect(await refusal(await redeem(client, code))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_reused",
    ]);
  });

  it("is refused if another code of the same request was redeemed, and does not harm that login", async () => {
    const client = await makeWebClient();
    const request = await requestAtLogin(client);
    const codes = await Promise.all(
      ["alice", "mallory"].map(
        async (subject) =>
          (await decide(request, { subject })).searchParams.get("code") ?? "",
      ),
    );
    const [first = "", second = ""] = codes;
    expect(first).not.toBe(second);
    const { refresh_token } = await expectTokens(await redeem(client, first));
    expect(await refusal(await redeem(client, second))).toEqual([
      400,
      "invalid_grant",
      "authorization_request_reused",
    ]);
    const next = await server.expectRefresh(client, refresh_token);
    expect(decodeJwt(next.access_token).sub).toBe("alice");
  });

  it("makes a login that is independent of other logins of the user", async () => {
    const client = await makeWebClient();
    const one = await expectTokens(
      await redeem(client, await obtainCode(client)),
    );
    const two = await expectTokens(
      await redeem(client, await obtainCode(client)),
    );
    await server.about("/revoke", client, one.refresh_token);
    await server.expectRefresh(client, two.refresh_token);
  });
});

describe("the redirect to the client", () => {
  it("has code, state and iss, and nothing else", async () => {
    const client = await makeWebClient();
    const request = await requestAtLogin(client, {
      state: "a b&c=d#é%00\r\nSet-Cookie: x",
    });
    const redirect = await decide(request);
    expect(redirect.origin + redirect.pathname).toBe(REDIRECT_URI);
    expect(Object.fromEntries(redirect.searchParams)).toEqual({
      code: expect.any(String),
      state: "a b&c=d#é%00\r\nSet-Cookie: x",
      iss: ISSUER,
    });
    expect(redirect.hash).toBe("");
  });

  it("has error, state and iss if the user denied the request", async () => {
    const client = await makeWebClient();
    const redirect = await decide(await requestAtLogin(client), {
      error: "access_denied",
    });
    expect(Object.fromEntries(redirect.searchParams)).toEqual({
      error: "access_denied",
      error_description: expect.any(String),
      state: "xyz",
      iss: ISSUER,
    });
  });

  it("has error, state and iss if /authorize itself refuses the request", async () => {
    const client = await makeWebClient();
    const refused = await authorize(client, { scope: "admin" });
    expect(reasonOf(refused)).toBe("scope_none_left");
    const redirect = location(refused);
    expect(redirect.origin + redirect.pathname).toBe(REDIRECT_URI);
    expect(Object.fromEntries(redirect.searchParams)).toEqual({
      error: "invalid_scope",
      error_description: expect.any(String),
      state: "xyz",
      iss: ISSUER,
    });
  });
});
