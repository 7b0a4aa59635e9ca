import { afterEach, describe, expect, it, vi } from "vitest";
import {
  decide,
  expectTokens,
  makeWebClient,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import { server } from "../support/server.ts";

/**
 * Tests that the log leads from an administrator to the logins that they have started, so that those of a leaked admin
 * token can be found and ended.
 */

afterEach(() => {
  vi.restoreAllMocks();
});

/** Ends the login that the only line of an endpoint names. */
async function endLoginIn(
  lines: readonly string[],
  endpoint: string,
): Promise<void> {
  const found = parsedLog(lines).filter(
    (line) => line["endpoint"] === endpoint,
  );
  expect(found).toEqual([
    expect.objectContaining({ actor: "root", grant_id: expect.any(String) }),
  ]);
  await server.expectAdmin(
    "DELETE",
    `/grants/${String(found[0]?.["grant_id"])}`,
  );
}

describe("the log's line of an administrator", () => {
  it("has the login that a back end has started, by which it can be ended", async () => {
    const client = await server.makeClient();
    const lines = listenToLog();
    const tokens = await server.login(client);
    await endLoginIn(lines, "/admin/grants");
    const refused = await server.refresh(client, tokens.refresh_token);
    expect(refused.status).toBe(400);
  });

  it("has the login that a sign-in page has authorized, by which it can be ended", async () => {
    const client = await makeWebClient();
    const request = await requestAtLogin(client);
    const lines = listenToLog();
    const redirect = await decide(request);
    const code = redirect.searchParams.get("code") ?? "";
    const tokens = await expectTokens(await redeem(client, code));
    await endLoginIn(lines, "/admin/authorizations");
    const refused = await server.refresh(client, tokens.refresh_token);
    expect(refused.status).toBe(400);
  });

  it("has no login if the sign-in page reports an error", async () => {
    const request = await requestAtLogin(await makeWebClient());
    const lines = listenToLog();
    await decide(request, { error: "access_denied" });
    expect(parsedLog(lines)).toEqual([
      expect.not.objectContaining({ grant_id: expect.anything() }),
    ]);
  });
});
