import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  authorize,
  CHALLENGE,
  decide,
  expectTokens,
  location,
  makeWebClient,
  obtainCode,
  redeem,
  REDIRECT_URI,
  requestAtLogin,
  VERIFIER,
} from "../support/authorization.ts";
import { fieldErrors } from "../support/admin.ts";
import { rewriteClient } from "../support/records.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  countRefusals,
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/**
 * Tests the waiver of PKCE for one confidential client (`require_pkce: false`), as account linking of voice
 * assistants needs it, and everything that the waiver must not let in.
 */

const withoutPkce = {
  code_challenge: undefined,
  code_challenge_method: undefined,
};
const noVerifier = { code_verifier: undefined };

let client: TestClient;

beforeEach(async () => {
  client = await makeWebClient({ require_pkce: false });
});

afterEach(() => {
  vi.useRealTimers();
});

function patch(fields: Record<string, unknown>): Promise<unknown> {
  return server.expectAdmin("PATCH", `/clients/${client.client_id}`, fields);
}

/** Reads the error and the reason of a refusal by redirect. */
function redirectedRefusal(response: Response) {
  const { origin, pathname, searchParams } = location(response);
  expect(origin + pathname).toBe(REDIRECT_URI);
  return [searchParams.get("error"), reasonOf(response)];
}

async function obtainFrom(request: string): Promise<string> {
  return (await decide(request)).searchParams.get("code") ?? "";
}

describe("a confidential client whose record has require_pkce false", () => {
  it.each([
    ["the form", {}],
    ["Basic", { byBasic: true }],
  ])(
    "signs a user in without PKCE, authenticated by %s, and the login can be refreshed",
    async (_, { byBasic = false }: { byBasic?: boolean }) => {
      const code = await obtainCode(client, withoutPkce);
      const { client_id, client_secret } = client;
      const response = byBasic
        ? await server.token(
            {
              grant_type: "authorization_code",
              code,
              redirect_uri: REDIRECT_URI,
            },
            { Authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` },
          )
        : await redeem(client, code, noVerifier);
      const { refresh_token } = await expectTokens(response);
      await server.expectRefresh(client, refresh_token);
    },
  );

  it("may use PKCE, and then everything is as for other clients", async () => {
    const code = await obtainCode(client);
    for (const [more, error, reason] of [
      [noVerifier, "invalid_request", "parameter_missing"],
      [{ code_verifier: "" }, "invalid_request", "parameter_missing"],
      [
        { code_verifier: "x".repeat(43) },
        "invalid_grant",
        "code_verifier_wrong",
      ],
    ] as const)
      expect(await refusal(await redeem(client, code, more))).toEqual([
        400,
        error,
        reason,
      ]);
    const response = await redeem(client, code, { redirect_uri: undefined });
    expect(response.status).toBe(200);
  });

  it("sends redirect_uri with a code without PKCE, also if the authorization request left it out, and a missing or wrong one leaves the code good", async () => {
    const left = { ...withoutPkce, redirect_uri: undefined };
    for (const named of [withoutPkce, left]) {
      const code = await obtainCode(client, named);
      for (const redirect_uri of [undefined, ""])
        expect(
          await refusal(
            await redeem(client, code, { ...noVerifier, redirect_uri }),
          ),
        ).toEqual([400, "invalid_request", "parameter_missing"]);
      for (const redirect_uri of [
        "https://evil.example/callback",
        `${REDIRECT_URI}/`,
        REDIRECT_URI.toUpperCase(),
      ])
        expect(
          await refusal(
            await redeem(client, code, { ...noVerifier, redirect_uri }),
          ),
        ).toEqual([400, "invalid_grant", "redirect_uri_differs"]);
      expect((await redeem(client, code, noVerifier)).status).toBe(200);
    }
  });

  it.each([VERIFIER, "x", "x".repeat(200)])(
    "is refused with a verifier for a code without a challenge, because somebody has removed the challenge (RFC 9700 section 4.8.2), and the code stays good (%#)",
    async (code_verifier) => {
      const code = await obtainCode(client, withoutPkce);
      const before = (await listDurableObjectIds(env.TOKEN_FAMILY)).length;
      expect(
        await refusal(await redeem(client, code, { code_verifier })),
      ).toEqual([400, "invalid_grant", "code_verifier_unexpected"]);
      expect(await listDurableObjectIds(env.TOKEN_FAMILY)).toHaveLength(before);
      expect((await redeem(client, code, { code_verifier: "" })).status).toBe(
        200,
      );
    },
  );

  it.each([
    [
      "a method without a challenge",
      { code_challenge: undefined },
      "parameter_missing",
    ],
    [
      "a method with an empty challenge",
      { code_challenge: "" },
      "parameter_missing",
    ],
    [
      "the method plain without a challenge",
      { code_challenge: undefined, code_challenge_method: "plain" },
      "parameter_missing",
    ],
    [
      "a challenge without a method, which would mean plain",
      { code_challenge_method: undefined },
      "code_challenge_method_unsupported",
    ],
    [
      "the method plain",
      { code_challenge_method: "plain" },
      "code_challenge_method_unsupported",
    ],
    [
      "a malformed challenge",
      { code_challenge: CHALLENGE.slice(1) },
      "code_challenge_malformed",
    ],
  ])("is refused at /authorize with %s", async (_, more, reason) => {
    expect(redirectedRefusal(await authorize(client, more))).toEqual([
      "invalid_request",
      reason,
    ]);
  });

  it("is refused at /authorize with two challenges, one of which is empty or not", async () => {
    const response = await authorize(client, [["code_challenge", "x"]]);
    expect(redirectedRefusal(response)).toEqual([
      "invalid_request",
      "parameter_repeated",
    ]);
  });

  it("counts an empty challenge and an empty method as left out", async () => {
    const empty = { code_challenge: "", code_challenge_method: "" };
    const code = await obtainCode(client, empty);
    expect((await redeem(client, code, noVerifier)).status).toBe(200);
  });

  it("needs its secret for a code without PKCE, and an attempt without it leaves the code good", async () => {
    const code = await obtainCode(client, withoutPkce);
    const { client_id } = client;
    const another = await makeWebClient({ require_pkce: false });
    for (const [who, reason] of [
      [{ client_id }, "client_authentication_method_wrong"],
      [{ client_id, client_secret: "guess" }, "client_secret_wrong"],
    ] as const)
      expect(await refusal(await redeem(who, code, noVerifier))).toEqual([
        401,
        "invalid_client",
        reason,
      ]);
    expect(await refusal(await redeem(another, code, noVerifier))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_of_another_client",
    ]);
    expect((await redeem(client, code, noVerifier)).status).toBe(200);
  });

  it("keeps the login if a code without PKCE is repeated within ten seconds, and loses it later", async () => {
    const now = 1_900_000_000_000;
    vi.useFakeTimers({ toFake: ["Date"], now });
    const code = await obtainCode(client, withoutPkce);
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => redeem(client, code, noVerifier)),
    );
    const [winner, ...others] = responses.toSorted(
      (one, other) => one.status - other.status,
    );
    const { refresh_token } = await expectTokens(winner!);
    expect(await countRefusals(others)).toEqual({
      "400 invalid_grant authorization_code_repeated": 19,
    });
    const next = await server.expectRefresh(client, refresh_token);
    vi.useFakeTimers({ toFake: ["Date"], now: now + 10_001 });
    // A wrong redirect URI, a missing one and a verifier change nothing.
    for (const more of [
      { redirect_uri: "https://evil.example/", ...noVerifier },
      { redirect_uri: undefined, ...noVerifier },
      { code_verifier: VERIFIER },
    ])
      expect((await redeem(client, code, more)).status).toBe(400);
    const newest = await server.expectRefresh(client, next.refresh_token);
    expect(await refusal(await redeem(client, code, noVerifier))).toEqual([
      400,
      "invalid_grant",
      "authorization_code_reused",
    ]);
    const after = await server.refresh(client, newest.refresh_token);
    expect(await refusal(after)).toEqual([
      400,
      "invalid_grant",
      "family_ended",
    ]);
  });
});

describe("PKCE is required", () => {
  it.each([
    ["by default", {}],
    ["with require_pkce true", { require_pkce: true }],
    ["for a public client", { token_endpoint_auth_method: "none" }],
  ])("%s", async (_, metadata) => {
    const one = await makeWebClient(metadata);
    expect(redirectedRefusal(await authorize(one, withoutPkce))).toEqual([
      "invalid_request",
      "code_challenge_missing",
    ]);
  });

  it("of every other client, when it is waived for one", async () => {
    const other = await makeWebClient();
    expect(redirectedRefusal(await authorize(other, withoutPkce))).toEqual([
      "invalid_request",
      "code_challenge_missing",
    ]);
  });

  it("of a public client whose record has the waiver anyway", async () => {
    const open = await makeWebClient({ token_endpoint_auth_method: "none" });
    await rewriteClient(open, { require_pkce: false });
    const at = serverWith({});
    expect(redirectedRefusal(await authorize(open, withoutPkce, at))).toEqual([
      "invalid_request",
      "code_challenge_missing",
    ]);
  });
});

describe("a waiver that is taken back", () => {
  const required = [
    400,
    "invalid_grant",
    "authorization_code_without_challenge",
  ];

  it.each([
    ["true", { require_pkce: true }],
    ["null", { require_pkce: null }],
  ])("by %s refuses a code that is on its way", async (_, change) => {
    const code = await obtainCode(client, withoutPkce);
    const withChallenge = await obtainCode(client);
    await patch(change);
    for (const more of [noVerifier, { code_verifier: VERIFIER }])
      expect(await refusal(await redeem(client, code, more))).toEqual(required);
    expect((await redeem(client, withChallenge)).status).toBe(200);
  });

  it("refuses a code on its way also if the record became public without the API", async () => {
    const code = await obtainCode(client, withoutPkce);
    await rewriteClient(client, { token_endpoint_auth_method: "none" });
    const { client_id } = client;
    const at = serverWith({});
    expect(
      await refusal(await redeem({ client_id }, code, noVerifier, at)),
    ).toEqual(required);
  });

  it("refuses a request that is at the sign-in page", async () => {
    const request = await requestAtLogin(client, withoutPkce);
    const withChallenge = await requestAtLogin(client);
    await patch({ require_pkce: true });
    const response = await server.admin("POST", "/authorizations", {
      request,
      subject: "alice",
    });
    expect(
      Object.keys(
        await fieldErrors(response, "authorization_request_outdated"),
      ),
    ).toEqual(["request"]);
    const code = await obtainFrom(withChallenge);
    expect((await redeem(client, code)).status).toBe(200);
  });
});
