import { exports } from "cloudflare:workers";
import { decodeJwt } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import {
  decide,
  makeWebClient,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { answerOf } from "../support/request-lines.ts";
import {
  ISSUER,
  server,
  type TestClient,
  type Tokens,
} from "../support/server.ts";

/**
 * What Baton itself enforces of a request's `max_age`, `prompt` and `id_token_hint` when the sign-in page decides
 * (OpenID Connect Core section 3.1.2.1). The sign-in page answers for the rest.
 */

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("openid", "read");
  client = await makeWebClient({ scope: "openid read" });
});

// Whole seconds, so that every difference is exact.
const now = Math.floor(Date.now() / 1000);

afterEach(() => {
  vi.useRealTimers();
});

/** Makes an authorization request at `now`. */
function requestNow(more: Record<string, string>): Promise<string> {
  vi.useFakeTimers({ toFake: ["Date"], now: now * 1000 });
  return requestAtLogin(client, { scope: "openid", ...more });
}

/** Lets time pass while the user looks for a password. */
function wait(seconds: number): void {
  vi.setSystemTime((now + seconds) * 1000);
}

async function expectCode(
  request: string,
  decision: Record<string, unknown>,
): Promise<string> {
  const url = await decide(request, { subject: "alice", ...decision });
  const code = url.searchParams.get("code");
  expect(code).not.toBeNull();
  return code ?? "";
}

/** The problem of `auth_time` that refuses a decision. The request can be decided again. */
async function problemOfAuthTime(
  request: string,
  decision: Record<string, unknown>,
): Promise<string> {
  const body = { request, subject: "alice", ...decision };
  const response = await server.admin("POST", "/authorizations", body);
  const fields = await fieldErrors(response, "admin_body_invalid");
  expect(Object.keys(fields)).toEqual(["auth_time"]);
  return fields["auth_time"] ?? "";
}

describe("max_age", () => {
  it.each([
    ["0", 0],
    ["0", -60],
    ["1", -61],
    ["300", -360],
    ["300", 0],
    ["9999999999", -now],
  ])(
    "%s accepts a sign-in %d seconds from the request, with a minute for the clocks",
    async (max_age, seconds) => {
      const request = await requestNow({ max_age });
      const auth_time = now + seconds;
      const code = await expectCode(request, { auth_time });
      const response = await redeem(client, code);
      const { id_token } = await response.json<{ id_token: string }>();
      expect(decodeJwt(id_token)["auth_time"]).toBe(auth_time);
    },
  );

  it.each([
    ["0", -61],
    ["1", -62],
    ["300", -361],
    ["300", -now],
  ])(
    "%s refuses a decision by a sign-in %d seconds from the request, and says what to do",
    async (max_age, seconds) => {
      const request = await requestNow({ max_age });
      const auth_time = now + seconds;
      const problem = await problemOfAuthTime(request, { auth_time });
      expect(problem).toContain(`max_age (${max_age} seconds)`);
      expect(problem).toContain("sign in again");
      expect(problem).toContain("login_required");
      // The user signs in, or the app is told.
      await expectCode(request, { auth_time: now });
      const url = await decide(request, { error: "login_required" });
      expect(url.searchParams.get("error")).toBe("login_required");
    },
  );

  it("is counted to the moment of the request, not to that of the decision", async () => {
    const request = await requestNow({ max_age: "1" });
    wait(1700);
    await expectCode(request, { auth_time: now });
    await expectCode(request, { auth_time: now + 1700 });
    expect(await problemOfAuthTime(request, { auth_time: now - 62 })).toContain(
      "max_age",
    );
  });

  it("refuses a decision without auth_time, by HTTP and by RPC", async () => {
    for (const max_age of ["0", "300", "9999999999"]) {
      const request = await requestNow({ max_age });
      const problem = await problemOfAuthTime(request, {});
      expect(problem).toContain("is missing");
      expect(problem).toContain("max_age");
      expect(
        await answerOf(() =>
          exports.Login.decideAuthorization({ request, subject: "alice" }),
        ),
      ).toEqual([
        {
          error: "invalid_request",
          error_description: expect.any(String),
          fields: { auth_time: problem },
        },
        "admin_body_invalid",
      ]);
    }
  });

  it("that is left out demands no auth_time", async () => {
    for (const decision of [{}, { auth_time: 1 }])
      expect(await expectCode(await requestNow({}), decision)).not.toBe("");
  });
});

describe("prompt", () => {
  it.each(["login", "login consent", "consent login"])(
    "%s refuses a sign-in before the request, and says what to do",
    async (prompt) => {
      const request = await requestNow({ prompt });
      const problem = await problemOfAuthTime(request, { auth_time: now - 61 });
      expect(problem).toContain("prompt=login");
      expect(problem).toContain("sign in again");
      await expectCode(request, { auth_time: now - 60 });
      await expectCode(request, { auth_time: now });
      // A login that does not tell when the user signed in is trusted.
      await expectCode(request, {});
    },
  );

  it.each(["consent", "select_account", "none", "LOGIN", "logins"])(
    "%s accepts an earlier sign-in",
    async (prompt) => {
      const request = await requestNow({ prompt });
      const decision = { auth_time: now - 86_400 };
      expect(await expectCode(request, decision)).not.toBe("");
    },
  );

  it("none is answered by the login: a code for a user with a session, else login_required", async () => {
    const request = await requestNow({ prompt: "none", max_age: "60" });
    await expectCode(request, { auth_time: now - 30 });
    await problemOfAuthTime(request, { auth_time: now - 3600 });
    const url = await decide(request, { error: "login_required" });
    expect(Object.fromEntries(url.searchParams)).toEqual({
      error: "login_required",
      error_description: expect.any(String),
      state: "xyz",
      iss: ISSUER,
    });
  });
});

describe("id_token_hint", () => {
  async function hintOf(subject: string): Promise<string> {
    const tokens = await server.login(client, { subject, scope: "openid" });
    return (tokens as Tokens & { id_token: string }).id_token;
  }

  it.each([undefined, "none", "login", "select_account"])(
    "of another user than the one who signed in gets the app login_required, with prompt %s",
    async (prompt) => {
      const request = await requestNow({
        id_token_hint: await hintOf("alice"),
        ...(prompt !== undefined && { prompt }),
      });
      const url = await decide(request, { subject: "bob" });
      expect(Object.fromEntries(url.searchParams)).toEqual({
        error: "login_required",
        error_description:
          "A user other than the one in id_token_hint has signed in.",
        state: "xyz",
        iss: ISSUER,
      });
      await expectCode(request, { subject: "alice" });
    },
  );

  it("compares subjects character by character", async () => {
    const request = await requestNow({ id_token_hint: await hintOf("alice") });
    for (const subject of ["Alice", "alice ", "alic"]) {
      const url = await decide(request, { subject });
      expect(url.searchParams.get("error")).toBe("login_required");
    }
  });
});
