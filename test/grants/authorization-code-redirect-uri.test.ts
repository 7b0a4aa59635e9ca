import { describe, expect, it } from "vitest";
import {
  makeWebClient,
  obtainCode,
  redeem,
  REDIRECT_URI,
  VERIFIER,
} from "../support/authorization.ts";
import { refusal, server } from "../support/server.ts";

/**
 * Tests the redirect URI of a code exchange. With PKCE it may be left out (OAuth 2.1 draft section 10.2), and
 * one that is sent must be that of the authorization request (RFC 6749 section 4.1.3).
 */

const differs = [400, "invalid_grant", "redirect_uri_differs"];

const clients = [
  ["a confidential client", {}],
  ["a public client", { token_endpoint_auth_method: "none" }],
] as const;
const requests = [
  ["named it", { redirect_uri: REDIRECT_URI }],
  ["left it out", { redirect_uri: undefined }],
] as const;

describe.each(clients)("a code of %s", (_, metadata) => {
  describe.each(requests)("whose authorization request %s", (_, named) => {
    it.each([
      ["left out", undefined],
      ["empty, which counts as left out", ""],
      ["the same", REDIRECT_URI],
    ])("can be redeemed with redirect_uri %s", async (_, redirect_uri) => {
      const client = await makeWebClient(metadata);
      const code = await obtainCode(client, named);
      const response = await redeem(client, code, { redirect_uri });
      expect(response.status).toBe(200);
    });

    it.each([
      ["of another host", "https://evil.example/callback"],
      ["with a slash at its end", `${REDIRECT_URI}/`],
      ["with a query", `${REDIRECT_URI}?x=1`],
      ["in another case", REDIRECT_URI.toUpperCase()],
      ["with another scheme", REDIRECT_URI.replace("https", "http")],
      ["with the default port", REDIRECT_URI.replace(".com", ".com:443")],
      ["with a space at its end", `${REDIRECT_URI} `],
      ["that is only a space", " "],
      ["that is the word null", "null"],
    ])(
      "is refused with a redirect_uri %s, and stays good",
      async (_, redirect_uri) => {
        const client = await makeWebClient(metadata);
        const code = await obtainCode(client, named);
        expect(
          await refusal(await redeem(client, code, { redirect_uri })),
        ).toEqual(differs);
        expect((await redeem(client, code)).status).toBe(200);
      },
    );
  });

  it("is refused with a redirect_uri that is sent twice, and stays good", async () => {
    const client = await makeWebClient(metadata);
    const code = await obtainCode(client);
    const response = await server.token([
      ["grant_type", "authorization_code"],
      ["code", code],
      ["code_verifier", VERIFIER],
      ["redirect_uri", REDIRECT_URI],
      ["redirect_uri", REDIRECT_URI],
      ...Object.entries(client).filter(([name]) =>
        ["client_id", "client_secret"].includes(name),
      ),
    ]);
    expect(await refusal(response)).toEqual([
      400,
      "invalid_request",
      "parameter_repeated",
    ]);
    expect((await redeem(client, code)).status).toBe(200);
  });

  it("without redirect_uri still needs its verifier", async () => {
    const client = await makeWebClient(metadata);
    const code = await obtainCode(client);
    const redirect_uri = undefined;
    for (const [code_verifier, error, reason] of [
      [undefined, "invalid_request", "parameter_missing"],
      ["", "invalid_request", "parameter_missing"],
      ["x".repeat(43), "invalid_grant", "code_verifier_wrong"],
    ])
      expect(
        await refusal(
          await redeem(client, code, { redirect_uri, code_verifier }),
        ),
      ).toEqual([400, error, reason]);
    expect((await redeem(client, code, { redirect_uri })).status).toBe(200);
  });
});

describe("a code of a client with several redirect URIs", () => {
  const OTHER = "https://app.example.com/other";

  it("can be redeemed without redirect_uri, and is refused with another registered one", async () => {
    const client = await makeWebClient({
      redirect_uris: [REDIRECT_URI, OTHER],
    });
    const code = await obtainCode(client, { redirect_uri: OTHER });
    expect(await refusal(await redeem(client, code))).toEqual(differs);
    const response = await redeem(client, code, { redirect_uri: undefined });
    expect(response.status).toBe(200);
  });
});

/** A parser of URLs adds the slash, so an app may send it in one of its two requests only. */
describe("a code for a loopback address", () => {
  const port = "http://127.0.0.1:5000";

  it.each([
    [port, `${port}/`],
    [`${port}/`, port],
    [`${port}?app=1`, `${port}/?app=1`],
  ])("that was asked for with %s is good with %s", async (asked, sent) => {
    const client = await makeWebClient({
      redirect_uris: ["http://127.0.0.1", "http://127.0.0.1?app=1"],
    });
    const code = await obtainCode(client, { redirect_uri: asked });
    const response = await redeem(client, code, { redirect_uri: sent });
    expect(response.status).toBe(200);
  });

  it.each([
    ["another port", "http://127.0.0.1:5001/"],
    ["no port", "http://127.0.0.1/"],
    ["another loopback address", "http://localhost:5000/"],
    ["a path", `${port}/x`],
    ["two slashes", `${port}//`],
    ["https", "https://127.0.0.1:5000/"],
  ])("is refused with %s, and stays good", async (_, redirect_uri) => {
    const client = await makeWebClient({ redirect_uris: ["http://127.0.0.1"] });
    const code = await obtainCode(client, { redirect_uri: port });
    expect(await refusal(await redeem(client, code, { redirect_uri }))).toEqual(
      differs,
    );
    const response = await redeem(client, code, { redirect_uri: port });
    expect(response.status).toBe(200);
  });
});
