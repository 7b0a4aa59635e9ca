import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  authorize,
  decide,
  expectTokens,
  makeWebClient,
  redeem,
  requestAtLogin,
  VERIFIER,
} from "../support/authorization.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { server, type TestClient } from "../support/server.ts";

/** Tests the log lines from the authorization request to the tokens. */

let client: TestClient;
let lines: string[];

beforeAll(async () => {
  client = await makeWebClient();
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** The two operations of the sign-in page, by the admin API. */
function get(query: string[][]): Promise<Response> {
  const search = new URLSearchParams(query).toString();
  return server.admin("GET", `/authorizations?${search}`);
}

function post(decision: Record<string, string>): Promise<Response> {
  return server.admin("POST", "/authorizations", decision);
}

describe("the log", () => {
  it("has the client, and never the request, the code, the verifier, the state or the subject", async () => {
    lines = listenToLog();
    const [state, subject] = [crypto.randomUUID(), crypto.randomUUID()];
    const request = await requestAtLogin(client, { state });
    await authorize(client, { state, scope: request });
    await authorize(client, { state, redirect_uri: request });
    await authorize({ client_id: request }, { state });
    await get([["request", request]]);
    await get([["request", `${request}x`]]);
    await get([[request, request]]);
    const redirect = await decide(request, { subject });
    const code = redirect.searchParams.get("code") ?? "";
    await post({ request, subject, [code]: code });
    await post({ request: code, subject, scope: code });
    await post({ request, subject, scope: code });
    await redeem(client, request);
    await redeem(client, code, { code_verifier: `${VERIFIER}x` });
    await redeem(client, code, { redirect_uri: code });
    await redeem({ ...client, client_secret: code }, code);
    await redeem({ client_id: code }, code);
    await server.token({ grant_type: code, code, code_verifier: VERIFIER });
    const tokens = await expectTokens(await redeem(client, code));
    await redeem(client, code);
    await server.http(`/${code}`);

    expect(lines.length).toBeGreaterThan(18);
    const requests = parsedLog(lines);
    const decided = requests.find(
      ({ endpoint, method }) =>
        endpoint === "/admin/authorizations" && method === "POST",
    );
    expect(decided).toMatchObject({
      client_id: client.client_id,
      outcome: "ok",
      decision: "authorized",
    });
    const text = lines.join("\n");
    const secrets = {
      request,
      "a part of the request": request.split(".")[3],
      code,
      "a part of the code": code.split(".")[3],
      verifier: VERIFIER,
      state,
      subject,
      "refresh token": tokens.refresh_token,
    };
    for (const [name, value] of Object.entries(secrets))
      expect(text.includes(value ?? ""), `${name} is in the log`).toBe(false);
  });

  it("names the client whose redirect URI is not registered, but no unknown client", async () => {
    lines = listenToLog();
    await authorize(client, { redirect_uri: "https://evil.example" });
    await authorize({ client_id: "nobody" });
    const clients = parsedLog(lines).map(({ client_id }) => client_id);
    expect(clients).toEqual([client.client_id, undefined]);
  });

  it("has the decision of the sign-in page", async () => {
    const request = await requestAtLogin(client);
    lines = listenToLog();
    await decide(request, { error: "access_denied" });
    await decide(request, { error: "login_required" });
    await decide(request);
    expect(parsedLog(lines).map(({ decision }) => decision)).toEqual([
      "access_denied",
      "login_required",
      "authorized",
    ]);
  });

  it("has the precise reason of every refusal, while the response has the standard code", async () => {
    const otherClient = await makeWebClient();
    const request = await requestAtLogin(client);
    const codes = [await decide(request), await decide(request)].map(
      ({ searchParams }) => searchParams.get("code") ?? "",
    );
    const [code = "", second = ""] = codes;
    lines = listenToLog();
    await authorize({ client_id: "nobody" });
    await authorize(client, { redirect_uri: "https://evil.example" });
    await authorize(client, { code_challenge_method: "plain" });
    await redeem(client, "x");
    await redeem(client, request);
    await redeem(otherClient, code);
    await redeem(client, code, { redirect_uri: "https://evil.example" });
    await redeem(client, code, { code_verifier: "x" });
    await redeem(client, code);
    await redeem(client, second);
    await redeem(client, code);
    const reasons = parsedLog(lines).map(({ reason }) => reason);
    expect(reasons).toEqual([
      "authorization_client_unknown",
      "redirect_uri_unregistered",
      "code_challenge_method_unsupported",
      "authorization_code_malformed",
      "authorization_code_forged",
      "authorization_code_of_another_client",
      "redirect_uri_differs",
      "code_verifier_wrong",
      undefined,
      "authorization_request_reused",
      "authorization_code_repeated",
    ]);
  });
});
