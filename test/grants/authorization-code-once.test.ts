import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
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

/** RFC 6749 section 4.1.2: a code is good once, in its one spelling; and how the answer travels. */

describe("a second spelling of a code", () => {
  it.each([1, 4])(
    "is not the code: unused bits, padding, white space (segment %i)",
    async (segment) => {
      const client = await makeWebClient();
      const code = await obtainCode(client);
      const parts = code.split(".");
      const part = parts[segment] ?? "";
      const alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      const last = alphabet.indexOf(part.at(-1) ?? "");
      // 40 and 16 bytes leave four bits of their last character unused.
      const respelled = part.slice(0, -1) + alphabet[last ^ 1];
      for (const spelling of [respelled, `${part}=`, `${part} `, `\t${part}`]) {
        const other = parts.with(segment, spelling).join(".");
        expect(await refusal(await redeem(client, other))).toEqual([
          400,
          "invalid_grant",
          "authorization_code_malformed",
        ]);
      }
      expect((await redeem(client, code)).status).toBe(200);
    },
  );
});

describe("a code is good once", () => {
  it("the second redemption is refused, and ends what the first one gave", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const tokens = await expectTokens(await redeem(client, code));
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

  it("of fifty at once at most one gets tokens, and they are dead when all are answered", async () => {
    const client = await makeWebClient();
    const code = await obtainCode(client);
    const responses = await Promise.all(
      Array.from({ length: 50 }, () => redeem(client, code)),
    );
    const winners = responses.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    const { refresh_token } = await expectTokens(winners[0]!);
    expect(await refusal(await server.refresh(client, refresh_token))).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });

  it("after its login was ended it makes no new one", async () => {
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

  it("another code of the same request is refused and does the first login no harm", async () => {
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

  it("two requests are two logins", async () => {
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

describe("the way back to the client", () => {
  it("has code, state and iss, and nothing else", async () => {
    const client = await makeWebClient();
    const request = await requestAtLogin(client, {
      state: "a b&c=d#é%00\r\nSet-Cookie: x",
    });
    const back = await decide(request);
    expect(back.origin + back.pathname).toBe(REDIRECT_URI);
    expect(Object.fromEntries(back.searchParams)).toEqual({
      code: expect.any(String),
      state: "a b&c=d#é%00\r\nSet-Cookie: x",
      iss: ISSUER,
    });
    expect(back.hash).toBe("");
  });

  it("has error, state and iss when the person said no", async () => {
    const client = await makeWebClient();
    const back = await decide(await requestAtLogin(client), {
      error: "access_denied",
    });
    expect(Object.fromEntries(back.searchParams)).toEqual({
      error: "access_denied",
      error_description: expect.any(String),
      state: "xyz",
      iss: ISSUER,
    });
  });

  it("is where /authorize itself sends what it refuses", async () => {
    const client = await makeWebClient();
    const refused = await authorize(client, { scope: "admin" });
    expect(reasonOf(refused)).toBe("scope_not_granted");
    const back = location(refused);
    expect(back.origin + back.pathname).toBe(REDIRECT_URI);
    expect(Object.fromEntries(back.searchParams)).toEqual({
      error: "invalid_scope",
      error_description: expect.any(String),
      state: "xyz",
      iss: ISSUER,
    });
  });
});
