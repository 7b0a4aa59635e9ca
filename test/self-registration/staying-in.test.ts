import { env } from "cloudflare:workers";
import {
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  vi,
} from "vitest";
import {
  AGENT_REDIRECT_URI,
  AgentSite,
  AGREED,
  DOCUMENTS_ON,
} from "../support/agent-site.ts";
import {
  decide,
  expectTokens,
  redeem,
  requestAtLogin,
} from "../support/authorization.ts";
import { agent, register } from "../support/registration.ts";
import { refusal, server, type TestServer } from "../support/server.ts";
import { waitingServerWith } from "../support/waiting-server.ts";

/** An agent that registered itself stays signed in: its retry window is a minute, and it asks for offline_access. */

const T0 = 1_800_000_000_000;
const RESOURCE = "https://mcp.example.com/";
const on = { ...DOCUMENTS_ON, DYNAMIC_REGISTRATION: "open" };

/** The two ways in. */
const ways: [string, (at: TestServer) => Promise<{ client_id: string }>][] = [
  ["a metadata document", async () => new AgentSite()],
  [
    "dynamic registration",
    (at) => register(at, { ...agent, redirect_uris: [AGENT_REDIRECT_URI] }),
  ],
];

beforeAll(async () => {
  await server.makeScopes("tools");
  const open = { scope: "tools", self_registered_clients: true };
  await env.KV.put("resources", JSON.stringify({ [RESOURCE]: open }));
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function signIn(
  client: { client_id: string },
  scope: string,
  at: TestServer,
) {
  const redirect = { redirect_uri: AGENT_REDIRECT_URI };
  const asked = { ...redirect, scope, resource: RESOURCE };
  const request = await requestAtLogin(client, asked, at);
  const decision = { ...AGREED, consent: true };
  const code = (await decide(request, decision, at)).searchParams.get("code");
  return expectTokens(await redeem(client, code ?? "", redirect, at));
}

describe.each(ways)("an agent of %s", (_way, comeIn) => {
  it("gets the same successor for a used token within a minute, and no longer", async () => {
    const at = waitingServerWith(on);
    const client = await comeIn(at);
    const first = await signIn(client, "tools", at);
    const second = await at.expectRefresh(client, first.refresh_token);
    vi.setSystemTime(T0 + 59_000);
    const again = await at.expectRefresh(client, first.refresh_token);
    expect(again.refresh_token).toBe(second.refresh_token);
    vi.setSystemTime(T0 + 60_000);
    expect(
      await refusal(await at.refresh(client, first.refresh_token)),
    ).toEqual([400, "invalid_grant", "refresh_token_reused"]);
  });

  it("may ask for offline_access where that is required, and has no refresh token without it", async () => {
    const at = waitingServerWith({ ...on, OFFLINE_ACCESS_REQUIRED: "on" });
    const client = await comeIn(at);
    const without = await signIn(client, "tools", at);
    expect(without.scope).toBe("tools");
    expect(without).not.toHaveProperty("refresh_token");
    const tokens = await signIn(client, "tools offline_access", at);
    expect(tokens.scope).toBe("tools offline_access");
    await at.expectRefresh(client, tokens.refresh_token);
  });
});
