import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  AGENT_REDIRECT_URI,
  AgentSite,
  AGREED,
  DOCUMENTS_ON,
} from "../support/agent-site.ts";
import { type ClientKey, KeyClient, makeKey } from "../support/assertions.ts";
import { decide, requestAtLogin, VERIFIER } from "../support/authorization.ts";
import { BUSY } from "../support/busy.ts";
import { agent, register } from "../support/registration.ts";
import { RESOURCE, writeResources } from "../support/self-registered.ts";
import {
  refusal,
  server,
  serverWith,
  type TestServer,
  type Tokens,
} from "../support/server.ts";

/** Clients that have registered themselves with a key: by a metadata document, and by POST /register. */

beforeAll(async () => {
  await server.makeScopes("read");
  await writeResources({
    [RESOURCE]: { scope: "read", self_registered_clients: true },
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const byKey = { token_endpoint_auth_method: "private_key_jwt" };

/** A server that knows no documents and no keys, like a new isolate. */
const isolate = () => serverWith(DOCUMENTS_ON);

/** Signs a user in, with an assertion at the exchange of the code. */
async function signIn(
  client: KeyClient,
  redirect_uri = AGENT_REDIRECT_URI,
): Promise<Tokens> {
  const asked = { redirect_uri, scope: "read", resource: RESOURCE };
  const request = await requestAtLogin(client, asked, client.server);
  const to = await decide(request, AGREED, client.server);
  const response = await client.server.token({
    grant_type: "authorization_code",
    code: to.searchParams.get("code") ?? "",
    redirect_uri,
    code_verifier: VERIFIER,
    ...(await client.parameters()),
  });
  expect(response.status).toBe(200);
  return response.json<Tokens>();
}

/** The site of an agent whose document has keys. */
async function siteWith(key: ClientKey, fields?: Record<string, unknown>) {
  const site = new AgentSite();
  const keys = fields ?? { jwks: { keys: [key.jwk] } };
  site.document = { ...site.document, ...byKey, ...keys };
  return site;
}

function clientOf(site: AgentSite, key: ClientKey, at: TestServer = isolate()) {
  return new KeyClient(site.client_id, key, at);
}

describe("the client of a metadata document with keys", () => {
  it("signs a user in, refreshes in other isolates, introspects and revokes", async () => {
    const key = await makeKey("ES256", "one");
    const site = await siteWith(key);
    const client = clientOf(site, key);
    const { refresh_token } = await signIn(client);
    const next = await clientOf(site, key).expectRefresh(refresh_token);
    const about = async (path: string) =>
      client.server.http(path, {
        method: "POST",
        body: new URLSearchParams({
          token: next,
          ...(await client.parameters()),
        }),
      });
    expect(await (await about("/introspect")).json()).toMatchObject({
      active: true,
    });
    expect((await about("/revoke")).status).toBe(200);
    expect(await (await about("/introspect")).json()).toEqual({
      active: false,
    });
  });

  it("is refused without its key: nobody refreshes with what was in a request", async () => {
    const key = await makeKey("ES256", "one");
    const site = await siteWith(key);
    const client = clientOf(site, key);
    const { refresh_token } = await signIn(client);
    const bare = await client.server.refresh(client, refresh_token);
    expect(await refusal(bare)).toEqual([
      401,
      "invalid_client",
      "client_authentication_method_wrong",
    ]);
    const thief = clientOf(site, await makeKey("ES256", "one"), client.server);
    expect(await refusal(await thief.refresh(refresh_token))).toEqual([
      401,
      "invalid_client",
      "client_assertion_wrong",
    ]);
    await client.expectRefresh(refresh_token);
  });

  it("keeps its keys at a jwks_uri of its document", async () => {
    const key = await makeKey("ES256", "one");
    const jwks_uri = "https://keys.example/agent.json";
    const site = await siteWith(key, { jwks_uri });
    site.answer = () =>
      site.fetched.at(-1)?.url === jwks_uri
        ? site.serve({ keys: [key.jwk] })
        : site.serve();
    const { refresh_token } = await signIn(clientOf(site, key));
    await clientOf(site, key).expectRefresh(refresh_token);
  });

  it("may replace its key in the document: the new one works at once", async () => {
    const [one, two] = [
      await makeKey("ES256", "one"),
      await makeKey("ES256", "two"),
    ];
    const site = await siteWith(one);
    const client = clientOf(site, one);
    const { refresh_token } = await signIn(client);
    const then = Date.now() + 11_000;
    vi.spyOn(Date, "now").mockReturnValue(then);
    site.document["jwks"] = { keys: [one.jwk, two.jwk] };
    const fetched = site.fetched.length;
    await clientOf(site, two, client.server).expectRefresh(refresh_token);
    expect(site.fetched).toHaveLength(fetched + 1);
  });

  it("withdraws a key by its document: the key ends within the cache time, also if nobody signs in", async () => {
    const [one, two] = [
      await makeKey("ES256", "one"),
      await makeKey("ES256", "two"),
    ];
    const site = await siteWith(one);
    const client = clientOf(site, one);
    const { refresh_token } = await signIn(client);
    site.document["jwks"] = { keys: [two.jwk] };
    const refused = [401, "invalid_client", "client_assertion_key_unknown"];
    // An isolate that has not read the document reads it now.
    expect(
      await refusal(await clientOf(site, one).refresh(refresh_token)),
    ).toEqual(refused);
    const start = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(start + 3_500_000);
    const next = await client.expectRefresh(refresh_token);
    clock.mockReturnValue(start + 3_700_000);
    expect(await refusal(await client.refresh(next))).toEqual(refused);
    client.key = two;
    await client.expectRefresh(next);
  });

  it("goes on while its site is down, in every isolate, by its record", async () => {
    const key = await makeKey("ES256", "one");
    const site = await siteWith(key);
    const { refresh_token } = await signIn(clientOf(site, key));
    // The record is written behind the answer.
    await vi.waitFor(
      async () =>
        expect(await env.KV.get(`client:${site.client_id}`)).not.toBeNull(),
      BUSY,
    );
    site.goDown();
    await clientOf(site, key).expectRefresh(refresh_token);
  });

  it("that was public sends assertions as soon as its document says so", async () => {
    const key = await makeKey("ES256", "one");
    const site = new AgentSite();
    const client = clientOf(site, key);
    const asked = {
      redirect_uri: AGENT_REDIRECT_URI,
      scope: "read",
      resource: RESOURCE,
    };
    const request = await requestAtLogin(client, asked, client.server);
    const to = await decide(request, AGREED, client.server);
    const response = await client.server.token({
      grant_type: "authorization_code",
      code: to.searchParams.get("code") ?? "",
      redirect_uri: AGENT_REDIRECT_URI,
      code_verifier: VERIFIER,
      client_id: client.client_id,
    });
    const { refresh_token } = await response.json<Tokens>();
    site.document = { ...site.document, ...byKey, jwks: { keys: [key.jwk] } };
    await clientOf(site, key).expectRefresh(refresh_token);
  });
});

describe("a client of POST /register with a key", () => {
  it("signs a user in and refreshes", async () => {
    const key = await makeKey("ES256", "one");
    const open = serverWith({ DYNAMIC_REGISTRATION: "open" });
    const { client_id, redirect_uris } = await register(open, {
      ...agent,
      ...byKey,
      jwks: { keys: [key.jwk] },
    });
    const client = new KeyClient(client_id, key, open);
    const { refresh_token } = await signIn(client, redirect_uris[0]);
    await client.expectRefresh(refresh_token);
  });
});
