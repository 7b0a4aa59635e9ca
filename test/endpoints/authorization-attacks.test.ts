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

/** Attacks on the way through the browser: RFC 9700 section 4, RFC 6819 section 4.4.1. */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  client = await makeWebClient({ scope: "read write" });
});

function post(decision: Record<string, unknown>): Promise<Response> {
  return server.admin("POST", "/authorizations", decision);
}

describe("a stolen code (RFC 9700 section 4.5)", () => {
  /** Another pair of verifier and challenge: what an attacker has of a flow of their own. */
  async function ownProof() {
    const code_verifier = "attacker".repeat(8);
    const bytes = new TextEncoder().encode(code_verifier);
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    const code_challenge = btoa(String.fromCharCode(...new Uint8Array(digest)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");
    return { code_verifier, code_challenge };
  }

  it("is of no use in a flow of the attacker's own at the same client, and stays good for the victim", async () => {
    const { code_verifier, code_challenge } = await ownProof();
    const own = await obtainCode(client, { code_challenge });
    const stolen = await obtainCode(client);
    expect(
      await refusal(await redeem(client, stolen, { code_verifier })),
    ).toEqual([400, "invalid_grant", "code_verifier_wrong"]);
    expect((await redeem(client, own, { code_verifier })).status).toBe(200);
    expect((await redeem(client, stolen)).status).toBe(200);
  });

  it("is of no use to another client, though it knows the verifier, and stays good", async () => {
    const other = await makeWebClient();
    const publicClient = await makeWebClient({
      token_endpoint_auth_method: "none",
    });
    const code = await obtainCode(client);
    for (const thief of [other, publicClient])
      expect(await refusal(await redeem(thief, code))).toEqual([
        400,
        "invalid_grant",
        "authorization_code_of_another_client",
      ]);
    expect((await redeem(client, code)).status).toBe(200);
  });

  it("is of no use to who knows no secret of a client that has one, and stays good", async () => {
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

describe("a sealed request that is played again", () => {
  it("leads to one login, however many codes are made of it and however they race", async () => {
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

  it("brings no login back that has ended", async () => {
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

  it("does not let who signs in second have the session of who was first, or the other way round", async () => {
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
  it("is seen: every answer says who gives it, as the metadata does", async () => {
    const metadata = await server.http(
      "/.well-known/oauth-authorization-server",
    );
    const { issuer } = await metadata.json<{ issuer: string }>();
    const code = await decide(await requestAtLogin(client));
    const no = { error: "access_denied" };
    const denied = await decide(await requestAtLogin(client), no);
    const answer = await authorize(client, { scope: "admin" });
    expect(reasonOf(answer)).toBe("scope_not_granted");
    const refused = location(answer);
    for (const { searchParams } of [code, denied, refused])
      expect(searchParams.getAll("iss")).toEqual([issuer]);
  });

  it("is not brought about by what the request says of host or issuer", async () => {
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
    expect(told(response)).toMatchObject([
      { iss: ISSUER },
      "scope_not_granted",
    ]);
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
  ])("is not at /authorize?%s", async (query, reason) => {
    const response = await server.http(`/authorize?${query}`, {
      redirect: "manual",
    });
    expect(await shown(response)).toEqual([400, "invalid_request", reason]);
  });

  it("is not made of a client of one's own: the browser goes to no page that it has not registered", async () => {
    const more = { redirect_uri: evil, scope: "admin" };
    expect(await shown(await authorize(client, more))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
  });

  it("is not made of the login: a decision can't say where to go", async () => {
    const request = await requestAtLogin(client);
    for (const name of ["redirect_uri", "redirect_to", "state", "iss"]) {
      const response = await post({ request, subject: "alice", [name]: evil });
      expect(Object.keys(await fieldErrors(response))).toEqual([name]);
    }
  });
});

describe("the page", () => {
  async function page(
    more: Record<string, string>,
    reason = "authorization_client_unknown",
  ) {
    const response = await authorize(client, more);
    expect([response.status, reasonOf(response)]).toEqual([400, reason]);
    return response;
  }

  it("can't be put into a frame, runs nothing, and is kept nowhere (RFC 9700 section 4.16)", async () => {
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

  it("has another nonce each time", async () => {
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
  ])("says nothing of %j as it was sent", async (hostile) => {
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
  ])("comes back exactly, and never breaks the header: %j", async (state) => {
    const ascii = /^[\x21-\x7e]+$/;
    const request = await requestAtLogin(client, { state });
    for (const said of [{ subject: "alice" }, { error: "access_denied" }]) {
      const response = await post({ request, ...said });
      const { redirect_to } = await response.json<{ redirect_to: string }>();
      expect(redirect_to).toMatch(ascii);
      const back = new URL(redirect_to);
      expect(back.origin + back.pathname + back.hash).toBe(REDIRECT_URI);
      expect(back.searchParams.getAll("state")).toEqual([state]);
      expect(back.searchParams.getAll("iss")).toEqual([ISSUER]);
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
      "scope_not_granted",
    ]);
  });

  it.each([
    ["a+b", "a b"],
    ["%zz", "%zz"],
    ["%", "%"],
    ["a%2", "a%2"],
    ["%FF", "\ufffd"],
    ["a=b=c", "a=b=c"],
    ["'", "'"],
  ])("as %s in the query is read as a form has it", async (raw, state) => {
    const query = authorizationQuery(client, { state: undefined });
    const response = await server.http(
      `/authorize?${query}&scope=admin&state=${raw}`,
      { redirect: "manual" },
    );
    expect(told(response)).toMatchObject([{ state }, "scope_not_granted"]);
  });
});
