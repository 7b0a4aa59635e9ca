import { describe, expect, it } from "vitest";
import {
  authorize,
  expectTokens,
  makeWebClient,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { shown } from "../support/refusals.ts";
import { ISSUER, refusal, server } from "../support/server.ts";

/** Tests sign-ins of apps whose redirect URI has a scheme of their own (RFC 8252 section 7.1). */

const uris: [registered: string, separator: string][] = [
  ["cursor://anysphere.cursor-mcp/oauth/callback", "?"],
  ["vscode://vscode.github-authentication/did-authenticate", "?"],
  ["vscode://x.y/did-authenticate?windowId=1", "&"],
  ["chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb/callback", "?"],
  ["myapp://", "?"],
  ["myapp:///", "?"],
  ["myapp://?", ""],
  ["myapp://callback", "?"],
  ["myapp://callback?a=1&", ""],
  ["myapp://callback?next=a?", "&"],
  ["myapp:/callback", "?"],
  ["myapp:callback", "?"],
  ["MyApp://Callback", "?"],
  ["com.example.app:/cb", "?"],
];

const encodedIssuer = encodeURIComponent(ISSUER);

async function decided(
  request: string,
  decision: Record<string, unknown>,
): Promise<string> {
  const body = { request, ...decision };
  const { redirect_to } = await server.expectAdmin<{ redirect_to: string }>(
    "POST",
    "/authorizations",
    body,
  );
  return redirect_to;
}

describe("an app with the redirect URI", () => {
  it.each(uris)(
    "%s gets a code and tokens",
    async (redirect_uri, separator) => {
      const client = await makeWebClient({
        redirect_uris: [redirect_uri],
        token_endpoint_auth_method: "none",
      });
      const request = await requestAtLogin(client, { redirect_uri });
      const back = await decided(request, { subject: "alice" });
      const start = `${redirect_uri}${separator}code=`;
      expect(back.slice(0, start.length)).toBe(start);
      const [code = "", ...rest] = back.slice(start.length).split("&");
      expect(rest).toEqual(["state=xyz", `iss=${encodedIssuer}`]);
      await expectTokens(await redeem(client, code, { redirect_uri }));
    },
  );

  it.each(uris)("%s gets errors", async (redirect_uri, separator) => {
    const client = await makeWebClient({ redirect_uris: [redirect_uri] });
    const rest = `&state=xyz&iss=${encodedIssuer}`;
    const request = await requestAtLogin(client, { redirect_uri });
    const denied = await decided(request, { error: "access_denied" });
    const response = await authorize(client, {
      redirect_uri,
      response_type: "token",
    });
    const wrong = response.headers.get("Location") ?? "";
    expect(response.status).toBe(303);
    for (const [back, error] of [
      [denied, "access_denied"],
      [wrong, "unsupported_response_type"],
    ] as const) {
      const start = `${redirect_uri}${separator}error=${error}&error_description=`;
      expect(back.slice(0, start.length)).toBe(start);
      expect(back.slice(-rest.length)).toBe(rest);
    }
  });
});

describe("another spelling of an app's redirect URI", () => {
  it.each([
    ["myapp://callback", "MYAPP://callback"],
    ["myapp://callback", "myapp://callback/"],
    ["myapp://callback", "myapp:/callback"],
    ["myapp://callback", "myapp://Callback"],
    ["myapp://callback", "myapp://callback?a=1"],
    ["myapp://callback", "myapp://callback:5000"],
    ["myapp://callback", "myapp://callback.evil.example"],
    ["myapp://callback", "myapp://callback@evil.example"],
    ["myapp://callback", "myapp2://callback"],
    ["myapp://", "myapp:///"],
    ["myapp://", "myapp:"],
    ["myapp://", "myapp://evil.example"],
    ["myapp://127.0.0.1/cb", "myapp://127.0.0.1:5000/cb"],
    ["myapp://localhost", "myapp://localhost/"],
    ["myapp://localhost", "http://localhost"],
    ["myapp://callback", "javascript:alert(1)"],
  ])("of %s is refused: %s", async (registered, redirect_uri) => {
    const client = await makeWebClient({ redirect_uris: [registered] });
    expect(await shown(await authorize(client, { redirect_uri }))).toEqual([
      400,
      "invalid_request",
      "redirect_uri_unregistered",
    ]);
  });

  it("is refused at the token endpoint as well", async () => {
    const redirect_uri = "myapp://callback";
    const client = await makeWebClient({ redirect_uris: [redirect_uri] });
    const request = await requestAtLogin(client, { redirect_uri });
    const back = await decided(request, { subject: "alice" });
    const [, code = ""] = /[?]code=([^&]+)/.exec(back) ?? [];
    const other = { redirect_uri: "myapp://callback/" };
    expect(await refusal(await redeem(client, code, other))).toEqual([
      400,
      "invalid_grant",
      "redirect_uri_differs",
    ]);
    await expectTokens(await redeem(client, code, { redirect_uri }));
  });
});
