import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  AgentSite,
  AGREED,
  AGENT_REDIRECT_URI,
  begin,
  DOCUMENTS_ON,
} from "../support/agent-site.ts";
import { type ClientKey, KeyClient, makeKey } from "../support/assertions.ts";
import { decide, redeem, requestAtLogin } from "../support/authorization.ts";
import { BUSY } from "../support/busy.ts";
import { ecKey, edKey, rsaKey, weakRsaKey } from "../support/client-keys.ts";
import {
  agent,
  expectNoEmptyMembers,
  manage,
  register,
} from "../support/registration.ts";
import {
  makeDocumentClient,
  RESOURCE,
  writeResources,
} from "../support/self-registered.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Clients that registered themselves with a key: by a metadata document, and by POST /register. */

const byKey = { token_endpoint_auth_method: "private_key_jwt" };
const jwks_uri = "https://agent.example/jwks.json";
const on = { ...DOCUMENTS_ON, DYNAMIC_REGISTRATION: "open" };
const open = serverWith(on);

beforeAll(async () => {
  await server.makeScopes("read");
  await writeResources({
    [RESOURCE]: { scope: "read", self_registered_clients: true },
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function stored(client_id: string): Promise<Record<string, unknown>> {
  const record = await env.KV.get<Record<string, unknown>>(
    `client:${client_id}`,
    "json",
  );
  return record ?? {};
}

describe("POST /register", () => {
  it("registers the keys of a client that can be used here, and gives it no secret", async () => {
    const jwks = { keys: [{ ...ecKey, kid: "1" }, edKey] };
    const answer = await register(open, {
      ...agent,
      ...byKey,
      jwks: {
        keys: [{ ...ecKey, kid: "1", ext: true }, weakRsaKey, edKey],
      },
      jwks_uri: "",
      dpop_bound_access_tokens: true,
    });
    expect(answer).toMatchObject({
      ...byKey,
      jwks,
      dpop_bound_access_tokens: true,
    });
    expect(answer).not.toHaveProperty("client_secret");
    expectNoEmptyMembers(answer);
    expect(await stored(answer.client_id)).toMatchObject({
      ...byKey,
      jwks,
      dpop_bound_access_tokens: true,
      secrets: [],
    });
  });

  it("registers the address of keys. Other clients have no use for keys", async () => {
    const byUri = await register(open, { ...agent, ...byKey, jwks_uri });
    expect(byUri).toMatchObject({ ...byKey, jwks_uri });
    const jwks = { keys: [{ ...ecKey, d: "AQAB" }] };
    for (const more of [{ jwks }, { jwks_uri }]) {
      const answer = await register(open, { ...agent, ...more });
      const record = await stored(answer.client_id);
      for (const shown of [answer, record])
        for (const name of ["jwks", "jwks_uri"])
          expect(shown).not.toHaveProperty(name);
    }
  });

  it("lets a client replace its keys, and not its kind", async () => {
    const made = await register(open, { ...agent, ...byKey, jwks_uri });
    const { client_id, registration_access_token: token } = made;
    const put = (fields: object) => {
      const body = { ...agent, client_id, ...fields };
      return manage(open, made, token, "PUT", body);
    };
    const jwks = { keys: [rsaKey] };
    const replaced = await put({ ...byKey, jwks });
    expect(await replaced.json()).toMatchObject({ ...byKey, jwks });
    expect(await stored(client_id)).not.toHaveProperty("jwks_uri");
    for (const method of ["none", "client_secret_post"]) {
      const refused = await put({ token_endpoint_auth_method: method });
      expect(await refusal(refused)).toEqual([
        400,
        "invalid_client_metadata",
        "registration_metadata_invalid",
      ]);
    }
    const shown = await manage(open, made, token, "GET");
    expect(await shown.json()).toMatchObject({ ...byKey, jwks });
  });
});

describe("a metadata document with keys", () => {
  /** A client whose document says this, and the site that serves it. */
  async function siteWith(stored: object, said: object) {
    const client = await makeDocumentClient({
      redirect_uris: [AGENT_REDIRECT_URI],
      ...stored,
    });
    const site = new AgentSite(client.client_id);
    site.document = { ...site.document, ...said };
    return { client, site };
  }

  it("decides the keys at the next sign-in, and not the record", async () => {
    const old = { ...byKey, jwks: { keys: [ecKey] } };
    const { client } = await siteWith(old, {
      ...byKey,
      jwks: { keys: [edKey] },
      dpop_bound_access_tokens: true,
    });
    await begin(open, client);
    // The isolate that has read the document goes by it, before any record is written.
    const attempt = await open.refresh(client, "none");
    expect(await refusal(attempt)).toEqual([
      401,
      "invalid_client",
      "client_authentication_method_wrong",
    ]);
  });

  it("rotates its keys without a sign-in: a new key works at once, and an old one no longer", async () => {
    const [old, newer] = [
      await makeKey("ES256", "1"),
      await makeKey("ES256", "2"),
    ];
    const { client, site } = await siteWith(
      { ...byKey, jwks: { keys: [old.jwk] } },
      { ...byKey, jwks: { keys: [newer.jwk] } },
    );
    const { refresh_token } = await server.login(client, {
      resource: [RESOURCE],
    });
    const by = (key: ClientKey) => new KeyClient(client.client_id, key, open);
    // The record has the old key, and this isolate has not read the document yet.
    expect(await refusal(await by(old).refresh(refresh_token))).toEqual([
      401,
      "invalid_client",
      "client_assertion_key_unknown",
    ]);
    const first = await by(newer).refresh(refresh_token);
    expect(first.status).toBe(200);
    const { refresh_token: second } = await first.json<{
      refresh_token: string;
    }>();
    // A stranger causes no crowd of fetches.
    expect(site.fetched).toHaveLength(1);
    // A site that is down keeps nobody out.
    site.goDown();
    expect((await by(newer).refresh(second)).status).toBe(200);
  });

  it("cannot be contradicted by an administrator", async () => {
    const client = await makeDocumentClient({
      ...byKey,
      jwks: { keys: [ecKey] },
    });
    const path = `/clients/${encodeURIComponent(client.client_id)}`;
    for (const patch of [
      { jwks: { keys: [edKey] } },
      { jwks: null, jwks_uri },
      { dpop_bound_access_tokens: true },
    ]) {
      const refused = await server.admin("PATCH", path, patch);
      const { fields } = await refused.json<{ fields: object }>();
      expect(Object.keys(fields)).toEqual(Object.keys(patch));
    }
    // The same as in the record, in another order.
    const { y, x, ...rest } = ecKey;
    const same = { jwks: { keys: [{ y, x, ...rest }] } };
    await server.expectAdmin("PATCH", path, same);
  });

  it("that makes its client public ends the logins that needed the key, and not the new one", async () => {
    const { client } = await siteWith(
      { ...byKey, jwks: { keys: [ecKey] }, refresh_token_retry_window: "PT0S" },
      {},
    );
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 10 * 60_000 });
    const old = await server.login(client, { resource: [RESOURCE] });
    vi.useRealTimers();
    const redirect = { redirect_uri: AGENT_REDIRECT_URI };
    const asked = { ...redirect, scope: "read", resource: RESOURCE };
    const request = await requestAtLogin(client, asked, open);
    // A thief has caused the document to be read, and now needs no key.
    const stolen = await open.refresh(client, old.refresh_token);
    expect(await refusal(stolen)).toEqual([
      400,
      "invalid_grant",
      "client_logins_ended",
    ]);
    const to = await decide(request, AGREED, open);
    const code = to.searchParams.get("code") ?? "";
    const redeemed = await redeem(client, code, redirect, open);
    const { refresh_token } = await redeemed.json<{ refresh_token: string }>();
    await vi.waitFor(async () => {
      const record = await stored(client.client_id);
      expect(record).toHaveProperty("tokens_not_before");
      expect(record).not.toHaveProperty("jwks");
    }, BUSY);
    await open.expectRefresh(client, refresh_token);
  });
});
