import { beforeAll, describe, expect, it } from "vitest";
import type { ClientRecord } from "../../support/admin.ts";
import { askWith, makeToken } from "../../support/administrators.ts";
import { ecKey, edKey } from "../../support/client-keys.ts";
import { listenToLog, parsedLog } from "../../support/log.ts";
import { refusal, server } from "../../support/server.ts";

/** An operator may take power from a client, and never give it. */

const insufficient = [403, "insufficient_scope", "admin_role_insufficient"];

let operator: string;

beforeAll(async () => {
  await server.makeScopes("read", "write");
  ({ token: operator } = await makeToken("operator"));
});

/** A client that has something of everything, so that each field can grow and shrink. */
const rich = {
  client_name: "Notes",
  grant_types: ["authorization_code", "refresh_token"],
  scope: "read",
  redirect_uris: ["https://a.example/callback", "https://b.example/callback"],
  resources: ["https://one.example", "https://two.example"],
  access_token_ttl: "PT10M",
  refresh_token_ttl: "P14D",
  refresh_token_max_age: "P3M",
  refresh_token_retry_window: "PT30S",
};

const byKey = {
  token_endpoint_auth_method: "private_key_jwt",
  jwks: { keys: [ecKey] },
};

async function makeRich(more: object = {}): Promise<string> {
  const { client_id } = await server.makeClient({ ...rich, ...more });
  return `/clients/${client_id}`;
}

const patchAs = (token: string, path: string, body: object) =>
  askWith(server, token, "PATCH", path, body);

describe("an operator gives a client no power:", () => {
  it.each<[string, object, object?]>([
    [
      "a grant type",
      { grant_types: [...rich.grant_types, "client_credentials"] },
    ],
    ["other grant types", { grant_types: ["client_credentials"] }],
    ["the default grant types", { grant_types: null }, { grant_types: [] }],
    ["a scope", { scope: "read write" }],
    ["another scope", { scope: "write" }],
    [
      "a redirect URI",
      { redirect_uris: [...rich.redirect_uris, "https://thief.example"] },
    ],
    ["another redirect URI", { redirect_uris: ["https://thief.example"] }],
    [
      "a post-logout redirect URI",
      { post_logout_redirect_uris: ["https://thief.example"] },
    ],
    [
      "another post-logout redirect URI",
      { post_logout_redirect_uris: ["https://thief.example"] },
      { post_logout_redirect_uris: ["https://a.example"] },
    ],
    [
      "an address that is told of logouts",
      { backchannel_logout_uri: "https://thief.example" },
    ],
    [
      "another address that is told of logouts",
      { backchannel_logout_uri: "https://thief.example" },
      { backchannel_logout_uri: "https://a.example" },
    ],
    ["a resource", { resources: [...rich.resources, "https://three.example"] }],
    [
      "the server's audience, which its tokens have without a resource",
      { resources: [] },
      { resources: ["https://one.example"] },
    ],
    [
      "introspection for a resource server",
      { resource_server: "https://one.example" },
    ],
    [
      "another resource server",
      { resource_server: "https://one.example" },
      { resource_server: "https://two.example" },
    ],
    ["codes without PKCE", { require_pkce: false }],
    [
      "refresh tokens without offline_access",
      { refresh_without_offline_access: true },
    ],
    ["longer access tokens", { access_token_ttl: "PT11M" }],
    ["longer access tokens, by the setting", { access_token_ttl: null }],
    ["longer refresh tokens", { refresh_token_ttl: "P15D" }],
    [
      "refresh tokens that are longer in some months",
      { refresh_token_ttl: "P30D" },
      { refresh_token_ttl: "P1M" },
    ],
    [
      "refresh tokens that are longer in other months",
      { refresh_token_ttl: "P1M" },
      { refresh_token_ttl: "P30D" },
    ],
    ["longer logins", { refresh_token_max_age: "P93D" }],
    ["longer logins, by the setting", { refresh_token_max_age: null }],
    ["a longer retry window", { refresh_token_retry_window: "PT31S" }],
    [
      "a retry window, where the setting has none",
      { refresh_token_retry_window: "PT1S" },
      { refresh_token_retry_window: undefined },
    ],
    ["another token format", { access_token_format: "league" }],
    [
      "another method of authentication",
      { token_endpoint_auth_method: "client_secret_post" },
    ],
    ["authentication without a secret", { token_endpoint_auth_method: "none" }],
    ["a key", { jwks: { keys: [ecKey, edKey] } }, byKey],
    ["another key", { jwks: { keys: [edKey] } }, byKey],
    [
      "keys at an address",
      { jwks: null, jwks_uri: "https://thief.example/jwks.json" },
      byKey,
    ],
    [
      "authentication with a key",
      { token_endpoint_auth_method: "private_key_jwt" },
      { jwks: { keys: [ecKey] } },
    ],
    [
      "the subject of a certificate",
      { tls_client_auth_subject_dn: "CN=thief" },
      { tls_client_auth_subject_dn: "CN=notes" },
    ],
    [
      "another name of a certificate",
      { tls_client_auth_subject_dn: null, tls_client_auth_san_dns: "thief" },
      { tls_client_auth_subject_dn: "CN=notes" },
    ],
    [
      "tokens without a proof of a key",
      { dpop_bound_access_tokens: false },
      { dpop_bound_access_tokens: true },
    ],
    [
      "assertions that may come twice",
      { single_use_client_assertions: false },
      { ...byKey, single_use_client_assertions: true },
    ],
    [
      "tokens without a certificate",
      { tls_client_certificate_bound_access_tokens: null },
      { tls_client_certificate_bound_access_tokens: true },
    ],
    ["a catch-up with a secret", { refresh_token_catch_up: "PT1S" }],
    [
      "a longer catch-up",
      { refresh_token_catch_up: "P2D" },
      { refresh_token_catch_up: "P1D" },
    ],
    [
      "a longer catch-up of bound logins, by the default",
      { refresh_token_catch_up: null },
      { token_endpoint_auth_method: "none", refresh_token_catch_up: "P1D" },
    ],
    ["new life after it was disabled", { disabled: false }, { disabled: true }],
  ])("not %s", async (_what, body, more) => {
    const path = await makeRich(more);
    const before = await server.expectAdmin("GET", path);
    const patch = { client_name: "Newer", ...body };
    for (const query of ["", "?dry_run=true"]) {
      const refused = await patchAs(operator, path + query, patch);
      expect(refused.headers.get("WWW-Authenticate")).toContain(
        'scope="admin"',
      );
      expect(await refusal(refused), query).toEqual(insufficient);
    }
    expect(await server.expectAdmin("GET", path)).toEqual(before);
    await server.expectAdmin("PATCH", path, patch);
  });
});

describe("an operator takes power from a client:", () => {
  it.each<[string, object, object?]>([
    ["its name", { client_name: "Old notes" }],
    ["its name, away", { client_name: null }],
    ["a grant type", { grant_types: ["refresh_token"] }],
    ["all scopes", { scope: "" }],
    ["the order of scopes", { scope: "read write" }, { scope: "write read" }],
    ["a redirect URI", { redirect_uris: [rich.redirect_uris[1]] }],
    ["all redirect URIs", { redirect_uris: null }],
    [
      "its post-logout redirect URIs",
      { post_logout_redirect_uris: null },
      { post_logout_redirect_uris: ["https://a.example"] },
    ],
    [
      "its address that is told of logouts",
      { backchannel_logout_uri: null },
      { backchannel_logout_uri: "https://a.example" },
    ],
    [
      "nothing by its wish for sid",
      { backchannel_logout_session_required: true },
    ],
    ["a resource", { resources: [rich.resources[0]] }],
    ["its work", { disabled: true }],
    ["its logins", { tokens_not_before: "now" }],
    ["the waiver of PKCE", { require_pkce: true }, { require_pkce: false }],
    [
      "the waiver of PKCE, by the default",
      { require_pkce: null },
      { require_pkce: false },
    ],
    [
      "refresh tokens without offline_access",
      { refresh_without_offline_access: false },
      { refresh_without_offline_access: true },
    ],
    ["minutes of its access tokens", { access_token_ttl: "PT9M" }],
    [
      "hours of its access tokens, by the setting",
      { access_token_ttl: null },
      { access_token_ttl: "PT2H" },
    ],
    [
      "hours of its access tokens, below the setting",
      { access_token_ttl: "PT30M" },
      { access_token_ttl: undefined },
    ],
    ["days of its refresh tokens", { refresh_token_ttl: "P13D" }],
    [
      "days of its refresh tokens in every month",
      { refresh_token_ttl: "P28D" },
      { refresh_token_ttl: "P1M" },
    ],
    ["nothing, by another spelling", { refresh_token_ttl: "P2W" }],
    ["months of its logins", { refresh_token_max_age: "P2M" }],
    ["its retry window", { refresh_token_retry_window: "PT0S" }],
    ["its retry window, by the setting", { refresh_token_retry_window: null }],
    [
      "a key",
      { jwks: { keys: [edKey] } },
      { ...byKey, jwks: { keys: [ecKey, edKey] } },
    ],
    ["tokens that anybody may use", { dpop_bound_access_tokens: true }],
    [
      "assertions that may come twice",
      { single_use_client_assertions: true },
      byKey,
    ],
    [
      "its catch-up",
      { refresh_token_catch_up: "PT0S" },
      { refresh_token_catch_up: "P1D" },
    ],
    ["days of its catch-up", { refresh_token_catch_up: "P1D" }, byKey],
    ["nothing, by values that it has", { ...rich }],
  ])("%s", async (_what, body, more) => {
    const path = await makeRich(more);
    const answer = await patchAs(operator, path, body);
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
    const {
      tokens_not_before: _now,
      disabled,
      ...shown
    } = body as ClientRecord;
    const after = await server.expectAdmin<ClientRecord>("GET", path);
    for (const [name, value] of Object.entries(shown))
      if (value !== null) expect(after[name]).toEqual(value);
    if (disabled) expect(after).toHaveProperty("disabled_at");
  });
});

describe("the power of a change", () => {
  it("is measured by the record as it is when it is written, not as it was read", async () => {
    const path = await makeRich({ scope: "read write" });
    const [shrunk, grown] = await Promise.all([
      patchAs(operator, path, { scope: "read" }),
      patchAs(operator, path, { scope: "write" }),
    ]);
    // Both shrink the record as it was; the second one would give back what the first has taken.
    const statuses = [shrunk, grown].map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 403]);
    for (const response of [shrunk, grown])
      if (response.status === 403)
        expect(await refusal(response)).toEqual(insufficient);
  });

  it("that needs another role is an event with the role, and changes nothing", async () => {
    const path = await makeRich();
    const lines = listenToLog();
    const refused = await patchAs(operator, path, { require_pkce: false });
    expect(await refusal(refused)).toEqual(insufficient);
    const events = parsedLog(lines).filter(({ event }) => event !== "request");
    expect(events).toMatchObject([
      { event: "admin.denied", role: "admin", actor: expect.any(String) },
    ]);
  });
});
