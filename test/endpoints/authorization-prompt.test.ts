import { beforeAll, describe, expect, it } from "vitest";
import {
  authorize,
  decide,
  makeWebClient,
  requestAtLogin,
} from "../support/authorization.ts";
import { told } from "../support/refusals.ts";
import { ISSUER, server, type TestClient } from "../support/server.ts";

/** `prompt` of an authorization request (OpenID Connect Core section 3.1.2.1). */

let client: TestClient;

beforeAll(async () => {
  client = await makeWebClient();
});

/** The `prompt` that the sign-in page gets. */
async function handedOn(prompt: string): Promise<string | undefined> {
  const request = await requestAtLogin(client, { prompt });
  const description = await server.expectAdmin<{ prompt?: string }>(
    "GET",
    `/authorizations?${new URLSearchParams({ request }).toString()}`,
  );
  return description.prompt;
}

describe("prompt", () => {
  it.each([
    "none login",
    "login none",
    "none consent",
    "none select_account",
    "consent none login",
    "none create",
    "none None",
    "  none   login ",
  ])(
    "%j is invalid_request by redirect, because none stands alone",
    async (prompt) => {
      expect(told(await authorize(client, { prompt }))).toEqual([
        {
          error: "invalid_request",
          error_description: expect.stringContaining("prompt"),
          state: "xyz",
          iss: ISSUER,
        },
        "prompt_contradictory",
      ]);
    },
  );

  it.each([
    ["none", "none"],
    ["login", "login"],
    ["consent", "consent"],
    ["select_account", "select_account"],
    ["login consent", "login consent"],
    ["consent login", "consent login"],
    // Unknown values are ignored here: the sign-in page may know them.
    ["create", "create"],
    ["login unheard_of", "login unheard_of"],
    ["NONE", "NONE"],
    ["none,login", "none,login"],
    // One space between the values, and each once, so that a page may compare with "none".
    [" none ", "none"],
    ["none  none", "none"],
    ["login  consent login ", "login consent"],
    [" ", undefined],
    ["", undefined],
  ])("%j reaches the sign-in page as %j", async (prompt, expected) => {
    expect(await handedOn(prompt)).toBe(expected);
  });

  it("none is answered by the sign-in page's decision, also with a code for a person who is signed in", async () => {
    const errors = [
      "login_required",
      "consent_required",
      "interaction_required",
      "account_selection_required",
    ];
    for (const error of errors) {
      const request = await requestAtLogin(client, { prompt: "none" });
      const url = await decide(request, { error });
      expect(Object.fromEntries(url.searchParams)).toEqual({
        error,
        error_description: expect.any(String),
        state: "xyz",
        iss: ISSUER,
      });
    }
    const request = await requestAtLogin(client, { prompt: "none" });
    const url = await decide(request, { subject: "alice" });
    expect([...url.searchParams.keys()]).toEqual(["code", "state", "iss"]);
  });

  it("none leaves every refusal that may be told to the client a redirect", async () => {
    const refusals = [
      [{ response_type: "token" }, "response_type_unsupported"],
      [{ response_mode: "form_post" }, "response_mode_unsupported"],
      [{ code_challenge: "short" }, "code_challenge_malformed"],
      [{ resource: "https://other.example.com" }, "resource_not_allowed"],
    ] as const;
    for (const [more, reason] of refusals) {
      const response = await authorize(client, { prompt: "none", ...more });
      expect(told(response)[1]).toBe(reason);
    }
  });
});
