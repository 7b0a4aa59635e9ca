import { exports } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import {
  authorizationQuery,
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
import { shown, told } from "../support/refusals.ts";
import { reasonOf } from "../support/request-lines.ts";
import { ISSUER, refusal, server, type TestClient } from "../support/server.ts";

/** Tests attacks on the authorization code flow (RFC 9700 section 4, RFC 6819 section 4.4.1). */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write" });
});

function post(decision: Record<string, unknown>): Promise<Response> {
  return server.admin("POST", "/authorizations", decision);
}

describe("a stolen code (RFC 9700 section 4.5)", () => {
  /** Makes the PKCE verifier and challenge of an attacker's own flow. */
  async function attackerPkce() {
    const code_verifier = "attacker".repeat(8);
    const bytes = new TextEncoder().encode(code_verifier);
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    const code_challenge = btoa(String.fromCharCode(...new Uint8Array(digest)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
    return { code_verifier, code_challenge };
  }

  it("can't be redeemed in the attacker's own flow at the same client, and stays good for the victim", async () => {
    const { code_verifier, code_challenge } = await attackerPkce();
    const attackerCode = await obtainCode(client, { code_challenge });
    const stolen = await obtainCode(client);
    expect(
      await refusal(await redeem(client, stolen, { code_verifier })),
    ).toEqual([400, "invalid_grant", "code_verifier_wrong"]);
    expect((await redeem(client, attackerCode, { code_verifier })).status).toBe(
      200,
    );
    expect((await redeem(client, stolen)).status).toBe(200);
  });

  it("can't be redeemed by another client that knows the verifier, and stays good", async () => {
    const otherClient = await makeWebClient();
    const publicClient = await makeWebClient({
      token_endpoint_auth_method: "none",
    });
    const code = await obtainCode(client);
    for (const thief of [otherClient, publicClient])
      expect(await refusal(await redeem(thief, code))).toEqual([
        400,
        "invalid_grant",
        "authorization_code_of_another_client",
      ]);
    expect((await redeem(client, code)).status).toBe(200);
  });

  it("can't be redeemed without the secret of a confidential client, and stays good", async () => {
    const code = await obtainCode(client);
    const { client_id } = client;
    expect(await refusal(await redeem({ client_id }, code))).toEqual([
      401,
      "invalid_client",
      "client_authentication_method_wrong",
    ]);
    const guess = { client_id, client_secret: "x" };
    expect(await refusal(await redeem(guess, code))).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    expect((await redeem(client, code)).status).toBe(200);
  });
});

describe("an encrypted request that is sent again", () => {
  it("leads to one login, however many codes are made from it and however they race", async () => {
    const subject = crypto.randomUUID();
    const request = await requestAtLogin(client);
    const codes = await Promise.all(
      Array.from({ length: 10 }, async () =>
        (await decide(request, { subject })).searchParams.get("code"),
      ),
    );
    expect(new Set(codes).size).toBe(10);
    const responses = await Promise.all(
      codes.map((code) => redeem(client, code ?? "")),
    );
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(1);
    const path = `/subjects/${subject}/grants`;
    const { grants } = await server.expectAdmin<{ grants: object[] }>(
      "GET",
      path,
    );
    expect(grants).toHaveLength(1);
  });

  it("does not bring back a login that has ended", async () => {
    const request = await requestAtLogin(client);
    const code = async () =>
      (await decide(request)).searchParams.get("code") ?? "";
    const first = await expectTokens(await redeem(client, await code()));
    await server.about("/revoke", client, first.refresh_token);
    expect(await refusal(await redeem(client, await code()))).toEqual([
      400,
      "invalid_grant",
      "authorization_request_reused",
    ]);
  });

  it("makes a login for one user only if two users sign in with it", async () => {
    const request = await requestAtLogin(client);
    const code = async (subject: string) =>
      (await decide(request, { subject })).searchParams.get("code") ?? "";
    const [victim, attacker] = [await code("victim"), await code("attacker")];
    const tokens = await expectTokens(await redeem(client, attacker));
    expect(decodeJwt(tokens.access_token).sub).toBe("attacker");
    expect(await refusal(await redeem(client, victim))).toEqual([
      400,
      "invalid_grant",
      "authorization_request_reused",
    ]);
    await server.expectRefresh(client, tokens.refresh_token);
  });
});

describe("a mix-up of two servers (RFC 9207)", () => {
  it("is noticed by the client, because every response has the issuer of the metadata", async () => {
    const metadata = await server.http(
      "/.well-known/oauth-authorization-server",
    );
    const { issuer } = await metadata.json<{ issuer: string }>();
    const code = await decide(await requestAtLogin(client));
    const denial = { error: "access_denied" };
    const denied = await decide(await requestAtLogin(client), denial);
    const answer = await authorize(client, { scope: "admin" });
    expect(reasonOf(answer)).toBe("scope_none_left");
    const refused = location(answer);
    for (const { searchParams } of [code, denied, refused])
      expect(searchParams.getAll("iss")).toEqual([issuer]);
  });

  it("can't be caused by a host or an issuer in the request", async () => {
    const query = authorizationQuery(client, { iss: "https://evil.example" });
    const response = await exports.default.fetch(
      new Request(`https://evil.example/authorize?${query}&scope=admin`, {
        headers: {
          "X-Forwarded-Host": "evil.example",
          Origin: "https://e.example",
        },
        redirect: "manual",
      }),
    );
    expect(told(response)).toMatchObject([{ iss: ISSUER }, "scope_none_left"]);
    expect(response.headers.get("Location")).not.toContain("evil");
  });
});

describe("an open redirector (RFC 9700 section 4.11)", () => {
  const evil = "https://evil.example/";

  const nobody = `client_id=nobody&redirect_uri=${evil}&response_type=code`;

  it.each([
    [`redirect_uri=${evil}`, "parameter_missing"],
    [`redirect_uri=${evil}&error=x&state=x`, "parameter_missing"],
    [nobody, "authorization_client_unknown"],
    [`client_id=&redirect_uri=${evil}&response_type=code`, "parameter_missing"],
    [`request=x&redirect_to=${evil}&LOGIN_URL=${evil}`, "parameter_missing"],
    [`request_uri=${evil}`, "parameter_missing"],
  ])("does not exist at /authorize?%s", async (query, reason) => {
    const response = await server.http(`/authorize?${query}`, {
      redirect: "manual",
    });
    expect(await shown(response)).toEqual([400, "invalid_request", reason]);
  });

  it("can't be made with a registered client, because the browser is redirected only to its registered URIs", async () => {
    const more = { redirect_uri: evil, scope: "admin" };
    expect(await shown(await authorize(client, more))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
  });

  it("can't be made by a decision, because a decision can't name a target", async () => {
    const request = await requestAtLogin(client);
    for (const name of ["redirect_uri", "redirect_to", "state", "iss"]) {
      const response = await post({ request, subject: "alice", [name]: evil });
      expect(Object.keys(await fieldErrors(response))).toEqual([name]);
    }
  });
});

describe("the error page", () => {
  async function page(
    more: Record<string, string>,
    reason = "authorization_client_unknown",
  ) {
    const response = await authorize(client, more);
    expect([response.status, reasonOf(response)]).toEqual([400, reason]);
    return response;
  }

  it("can't be framed, runs no scripts, and is not cached (RFC 9700 section 4.16)", async () => {
    const { headers } = await page({ client_id: "nobody" });
    const policy = (headers.get("Content-Security-Policy") ?? "").split("; ");
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
      ]),
    );
    expect(policy.join()).not.toMatch(/unsafe|script-src|\*/);
    expect(headers.get("X-Frame-Options")).toBe("DENY");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Referrer-Policy")).toBe("no-referrer");
    expect(headers.get("Cache-Control")).toBe("no-store");
  });

  it("has a different nonce each time", async () => {
    const nonces = await Promise.all(
      [1, 2, 3].map(async () => {
        const { headers } = await page({ client_id: "nobody" });
        const policy = headers.get("Content-Security-Policy") ?? "";
        return /'nonce-([^']+)'/.exec(policy)?.[1];
      }),
    );
    expect(new Set(nonces).size).toBe(3);
    expect(nonces).not.toContain(undefined);
  });

  it.each([
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style><svg onload=alert(1)>",
    "javascript:alert(1)",
    "<dt>Error</dt><dd>hostile</dd>",
  ])("does not contain %j as it was sent", async (hostile) => {
    const all = {
      redirect_uri: hostile,
      state: hostile,
      scope: hostile,
      response_type: hostile,
      code_challenge: hostile,
      [hostile]: hostile,
    };
    for (const response of [
      await page(all, "redirect_uri_unregistered"),
      await page({ ...all, client_id: hostile }),
    ]) {
      const text = await response.text();
      expect(text).not.toContain(hostile);
      expect(text).not.toMatch(/<script|<img|<svg|alert\(1\)|hostile/);
    }
  });
});

describe("state", () => {
  it.each([
    "a b+c%20d%2Bd",
    "&code=evil&iss=https://evil.example#",
    "?=&;#",
    "\r\nSet-Cookie: session=evil\r\n\r\n<script>",
    "\n",
    "\0\u0001\u001f\u007f",
    `"quotes" 'and' \`ticks\``,
    "<script>alert(1)</script>",
    "\\\\evil.example\\",
    "%",
    "%zz%0",
    "%25",
    "é ü ß 漢字 \u{1f469}\u200d\u{1f680} \u202e",
    "\ufeff\u2028\u2029\ufffd",
    "undefined",
    "~!*()'-._",
    "x".repeat(3700),
    "\u{1f469}".repeat(300),
  ])(
    "is returned unchanged, and never breaks the header: %j",
    async (state) => {
      const ascii = /^[\x21-\x7e]+$/;
      const request = await requestAtLogin(client, { state });
      for (const decision of [
        { subject: "alice" },
        { error: "access_denied" },
      ]) {
        const response = await post({ request, ...decision });
        const { redirect_to } = await response.json<{ redirect_to: string }>();
        expect(redirect_to).toMatch(ascii);
        const redirect = new URL(redirect_to);
        expect(redirect.origin + redirect.pathname + redirect.hash).toBe(
          REDIRECT_URI,
        );
        expect(redirect.searchParams.getAll("state")).toEqual([state]);
        expect(redirect.searchParams.getAll("iss")).toEqual([ISSUER]);
      }
      const refused = await authorize(client, { state, scope: "admin" });
      expect(refused.headers.get("Location")).toMatch(ascii);
      expect(refused.headers.get("Set-Cookie")).toBeNull();
      expect(told(refused)).toMatchObject([
        {
          error: "invalid_scope",
          state,
          iss: ISSUER,
        },
        "scope_none_left",
      ]);
    },
  );

  it.each([
    ["a+b", "a b"],
    ["%zz", "%zz"],
    ["%", "%"],
    ["a%2", "a%2"],
    ["%FF", "\ufffd"],
    ["a=b=c", "a=b=c"],
    ["'", "'"],
  ])(
    "sent as %s in the query is decoded like a form field",
    async (raw, state) => {
      const query = authorizationQuery(client, { state: undefined });
      const response = await server.http(
        `/authorize?${query}&scope=admin&state=${raw}`,
        { redirect: "manual" },
      );
      expect(told(response)).toMatchObject([{ state }, "scope_none_left"]);
    },
  );
});
