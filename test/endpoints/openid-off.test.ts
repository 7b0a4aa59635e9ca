import { beforeAll, describe, expect, it } from "vitest";
import {
  authorize,
  authorizationQuery,
  decide,
  makeWebClient,
  requestAtLogin,
} from "../support/authorization.ts";
import { countingBindings } from "../support/counting.ts";
import { told } from "../support/refusals.ts";
import { reasonOf } from "../support/request-lines.ts";
import {
  refusal,
  server,
  serverWith,
  type TestClient,
} from "../support/server.ts";

/**
 * Tests that OpenID Connect is off where it is not used: while the catalogue has no scope `openid`, and for a request
 * without it.
 */

/** Parameters that a request with `openid` would be refused for. */
const openIdFaults: [string, string][] = [
  ["nonce", "n"],
  ["nonce", "m"],
  ["max_age", "soon"],
  ["max_age", "-1"],
  ["acr_values", "a"],
  ["acr_values", "b"],
  ["id_token_hint", "garbage"],
  ["request", "a.b."],
  ["request_uri", "https://app.example.com/request.jwt"],
];

let client: TestClient;

beforeAll(async () => {
  await server.makeScopes("read", "profile");
  client = await makeWebClient({ scope: "read profile" });
});

function describeAtLogin(request: string) {
  return server.expectAdmin<Record<string, unknown>>(
    "GET",
    `/authorizations?${new URLSearchParams({ request }).toString()}`,
  );
}

describe("while the catalogue has no scope openid", () => {
  it.each(["GET", "HEAD", "POST", "PUT", "OPTIONS"])(
    "/userinfo does not exist for %s, with and without a token, and a page may read that",
    async (method) => {
      const { access_token } = await server.login(client);
      for (const headers of [
        { Origin: "https://app.example.com" },
        {
          Origin: "https://app.example.com",
          Authorization: `Bearer ${access_token}`,
        },
      ]) {
        const response = await server.http("/userinfo", { method, headers });
        expect([response.status, reasonOf(response)]).toEqual([
          404,
          "path_unknown",
        ]);
        expect(response.headers.get("Access-Control-Allow-Origin")).toBe("*");
        expect(response.headers.get("WWW-Authenticate")).toBeNull();
      }
    },
  );

  it.each(["POST", "PUT", "OPTIONS"])(
    "/authorize answers %s with 405 and the methods that it has",
    async (method) => {
      const response = await server.http("/authorize", {
        method,
        ...(method === "POST" && {
          body: new URLSearchParams(authorizationQuery(client)),
        }),
      });
      expect([response.status, reasonOf(response)]).toEqual([
        405,
        "method_not_allowed",
      ]);
      expect(response.headers.get("Allow")).toBe("GET, HEAD");
    },
  );

  it("/authorize does not exist without LOGIN_URL, also for POST", async () => {
    const off = serverWith({ LOGIN_URL: "" });
    const response = await off.http("/authorize", { method: "POST" });
    expect([response.status, reasonOf(response)]).toEqual([
      404,
      "path_unknown",
    ]);
  });

  it("a configuration that cannot be read comes first", async () => {
    for (const variables of [{ ISSUER: "" }, { PRIVATE_KEY: "" }])
      expect(
        await refusal(await serverWith(variables).http("/userinfo")),
      ).toEqual([500, "server_error", "configuration_malformed"]);
  });

  it("an endpoint that needs no scope does not read the catalogue for it", async () => {
    const { calls, bindings } = countingBindings();
    const counted = serverWith(bindings);
    const introspected = await counted.about("/introspect", client, "garbage");
    expect(introspected.status).toBe(200);
    // The client.
    expect(calls.kvRead).toBe(1);
  });
});

describe("a request without openid", () => {
  it("is answered as if it had none of the parameters of OpenID Connect, whatever is wrong with them", async () => {
    const request = await requestAtLogin(client, openIdFaults);
    const description = await describeAtLogin(request);
    expect(Object.keys(description).toSorted()).toEqual([
      "client_id",
      "expires_at",
      "redirect_uri",
      "resource",
      "scopes",
    ]);
    const url = await decide(request);
    expect([...url.searchParams.keys()]).toEqual(["code", "state", "iss"]);
  });

  it("is the same while the catalogue has openid, for a client that may not have it and for one that does not ask", async () => {
    const on = serverWith({});
    await on.makeScopes("openid");
    const openIdClient = await makeWebClient({ scope: "read openid" }, on);
    for (const [asker, scope] of [
      [client, "read openid"],
      [openIdClient, "read"],
    ] as const) {
      const request = await requestAtLogin(
        asker,
        [...openIdFaults, ["scope", scope], ["prompt", "login"]],
        on,
      );
      const description = await on.expectAdmin<object>(
        "GET",
        `/authorizations?${new URLSearchParams({ request }).toString()}`,
      );
      expect(Object.keys(description)).not.toContain("max_age");
      expect(Object.keys(description)).not.toContain("hinted_subject");
      // The sign-in was long before the request.
      const url = await decide(request, { subject: "bob", auth_time: 1 }, on);
      expect(url.searchParams.has("code")).toBe(true);
    }
  });

  it("is refused as before for what is wrong with it otherwise", async () => {
    const response = await authorize(client, [
      ["state", "another"],
      ["nonce", "n"],
      ["nonce", "m"],
    ]);
    expect(told(response)[1]).toBe("parameter_repeated");
  });
});
