import { exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { refusal, server, serverWith } from "./support/server.ts";

/** Tests the binding REFRESH_HOOK and its variables: what is wrong is named in /health. */

const REFRESH_HOOK = { decideRefresh: async () => ({ allowed: true }) };

const timeout = "must be from PT0.1S to PT10S, in seconds";
const wrong: [name: string, set: Record<string, unknown>, problem: string][] = [
  ...["1", "PT", "PTS", "PT0S", "PT0.09S", "PT10.001S", "PT11S", "PT1M"].map(
    (value): (typeof wrong)[number] => [
      "REFRESH_HOOK_TIMEOUT",
      { REFRESH_HOOK, REFRESH_HOOK_TIMEOUT: value },
      timeout,
    ],
  ),
  // It is read without a binding, too, so that a mistake shows before the hook is bound.
  ["REFRESH_HOOK_TIMEOUT", { REFRESH_HOOK_TIMEOUT: "1s" }, timeout],
  ["REFRESH_HOOK_TIMEOUT", { REFRESH_HOOK_TIMEOUT: 1 }, "must be a string"],
  [
    "REFRESH_HOOK_FAIL_CLOSED",
    { REFRESH_HOOK, REFRESH_HOOK_FAIL_CLOSED: "true" },
    "must be on, or empty",
  ],
  [
    "REFRESH_HOOK",
    { REFRESH_HOOK_FAIL_CLOSED: "on" },
    "is not bound, and REFRESH_HOOK_FAIL_CLOSED is on",
  ],
  ["REFRESH_HOOK", { REFRESH_HOOK: "x" }, "must be a service binding"],
  ["REFRESH_HOOK", { REFRESH_HOOK: null }, "must be a service binding"],
];

describe("the configuration of the refresh hook", () => {
  it.each(wrong)(
    "that is wrong is named: %s in %o",
    async (name, set, problem) => {
      const examined = serverWith(set);
      const health = await examined.health();
      expect(health.status).toBe(503);
      expect(await health.json()).toEqual({
        status: "failing",
        problems: [{ name, problem }],
      });
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      expect(
        await refusal(await examined.refresh(client, refresh_token)),
      ).toEqual([500, "server_error", "configuration_malformed"]);
      await server.expectRefresh(client, refresh_token);
    },
  );

  it.each(["", "PT0.1S", "PT1S", "PT2.5S", "PT10S", "PT10.000S"])(
    "may have the time-out '%s'",
    async (value) => {
      const set = { REFRESH_HOOK, REFRESH_HOOK_TIMEOUT: value };
      expect((await serverWith(set).http("/health")).status).toBe(200);
    },
  );

  it("may have a service binding of the platform", async () => {
    const { Login } = exports as unknown as { Login: object };
    const set = { REFRESH_HOOK: Login, REFRESH_HOOK_FAIL_CLOSED: "on" };
    expect((await serverWith(set).http("/health")).status).toBe(200);
  });
});
