import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import { askWith, makeToken } from "../support/administrators.ts";
import { REDIRECT_URI } from "../support/authorization.ts";
import { countingBindings } from "../support/counting.ts";
import { listenToLog, parsedLog } from "../support/log.ts";
import {
  deleteResource,
  pathOfResource,
  signIn,
  targetOf,
} from "../support/resources.ts";
import { refusal, server, serverWith } from "../support/server.ts";

/** Tests the catalogue of resources, `/admin/resources`. */

const URI = "https://api.example.com/v1/notes";

async function list() {
  const { resources } = await server.expectAdmin<{
    resources: { resource: string }[];
  }>("GET", "/resources");
  return resources;
}

function put(uri: string, body: object, query = "") {
  return server.admin("PUT", pathOfResource(uri) + query, body);
}

beforeEach(() => server.makeScopes("read", "write"));
afterEach(async () => {
  vi.restoreAllMocks();
  for (const { resource } of await list()) await deleteResource(resource);
});

describe("the catalogue of resources", () => {
  it("can be listed, and its resources can be added, changed and deleted", async () => {
    const made = await put(URI, { name: "Notes", scope: "write read" });
    const entry = {
      resource: URI,
      name: "Notes",
      scope: "write read",
      self_registered_clients: false,
    };
    expect([made.status, await made.json()]).toEqual([200, entry]);
    await put(URI, { name: null, access_token_ttl: "PT5M" });
    const { name: _name, ...rest } = entry;
    expect(await list()).toEqual([{ ...rest, access_token_ttl: "PT5M" }]);
    const { resource: _uri, ...stored } = rest;
    expect(await env.KV.get("resources", "json")).toEqual({
      [URI]: { ...stored, access_token_ttl: "PT5M" },
    });
    await deleteResource(URI);
    expect(
      await refusal(await server.admin("DELETE", pathOfResource(URI))),
    ).toEqual([404, "not_found", "admin_target_unknown"]);
    expect(await list()).toEqual([]);
  });

  it.each([
    "https://api.example.com/a/b//c/../d?x=1&y=%2F#".slice(0, -1),
    "https://api.example.com/%C3%A4%20%25",
    "https://[::1]:8443/mcp;v=1",
    "urn:example:api+1",
    "https://constructor",
  ])("takes the URI %s in the path, percent-encoded", async (uri) => {
    expect((await put(uri, {})).status).toBe(200);
    expect((await list()).map(({ resource }) => resource)).toEqual([uri]);
    const client = await server.makeClient({ resources: [uri], scope: "read" });
    await server.login(client, { resource: uri });
  });

  it.each(["notes", "https://api.example.com/#x", "https://a b", "%", " "])(
    "refuses %j, which is not a URI of a resource",
    async (uri) => {
      expect(Object.keys(await fieldErrors(await put(uri, {})))).toEqual([
        "resource",
      ]);
    },
  );

  it("refuses the path of a URI that is not encoded", async () => {
    const response = await server.admin("PUT", `/resources/${URI}`, {});
    expect(await refusal(response)).toEqual([404, "not_found", "path_unknown"]);
  });

  it.each([
    ["scope", { scope: "read nothing-like-it" }],
    ["scope", { scope: 'qu"ote' }],
    ["audience", { audience: "" }],
    ["audience", { audience: "two words" }],
    ["access_token_ttl", { access_token_ttl: "PT0S" }],
    ["access_token_format", { access_token_format: "opaque" }],
    ["self_registered_clients", { self_registered_clients: null }],
    ["more", { more: 1 }],
  ])("refuses a wrong %s (%#)", async (field, body) => {
    expect(Object.keys(await fieldErrors(await put(URI, body)))).toEqual([
      field,
    ]);
    expect(await list()).toEqual([]);
  });

  it("has no two resources whose tokens an API could confuse", async () => {
    await put(URI, { audience: "urn:notes" });
    const other = "https://other.example.com";
    for (const [uri, body, field] of [
      [other, { audience: "urn:notes" }, "audience"],
      [other, { audience: "HTTPS://api.example.com:443/v1/notes" }, "audience"],
      ["urn:notes", {}, "resource"],
      ["https://API.example.com/v1/notes", {}, "resource"],
    ] as const)
      expect(Object.keys(await fieldErrors(await put(uri, body)))).toEqual([
        field,
      ]);
  });

  it("has no audience that is the audience of a client's ID tokens, whichever comes first", async () => {
    await server.makeScopes("openid");
    const client_id = `https://app.example.com/${crypto.randomUUID()}`;
    await server.makeClient({ client_id, scope: "openid" });
    expect(await fieldErrors(await put(client_id, {}))).toHaveProperty(
      "resource",
    );
    const audience = await put(URI, { audience: client_id });
    expect(await fieldErrors(audience)).toHaveProperty("audience");
    await put(URI, { audience: "urn:later" });
    const response = await server.admin("POST", "/clients", {
      client_id: "urn:later",
      scope: "openid",
    });
    expect(await fieldErrors(response)).toHaveProperty("scope");
  });

  it("can be changed under If-Match, and rehearsed", async () => {
    const first = await server.admin("GET", "/resources");
    await first.body?.cancel();
    const tag = first.headers.get("ETag") ?? "";
    const conditional = () =>
      server.http(`/admin${pathOfResource(URI)}`, {
        method: "PUT",
        headers: {
          Authorization: `Bearer ${env.ADMIN_TOKEN}`,
          "Content-Type": "application/json",
          "If-Match": tag,
        },
        body: "{}",
      });
    const query = "?dry_run=true&assume_scopes=later";
    expect((await put(URI, { scope: "later" }, query)).status).toBe(200);
    expect(await list()).toEqual([]);
    expect((await conditional()).status).toBe(200);
    expect(await refusal(await conditional())).toEqual([
      412,
      "precondition_failed",
      "admin_precondition_failed",
    ]);
  });

  it("has an event for each change, and none for a request that changes nothing", async () => {
    const log = listenToLog();
    for (const name of ["Notes", "Notes", undefined, "Your notes"])
      expect((await put(URI, { name })).status).toBe(200);
    await deleteResource(URI);
    const events = parsedLog(log)
      .filter(({ event }) => event === "resource.changed")
      .map(({ action, changes }) => [action, changes]);
    const [from, to] = ["Notes", "Your notes"];
    expect(events).toMatchObject([
      ["created", expect.arrayContaining([{ field: "name", to: from }])],
      ["changed", [{ field: "name", from, to }]],
      ["deleted", expect.anything()],
    ]);
  });

  it("keeps its scopes in the scope catalogue", async () => {
    await put(URI, { scope: "read" });
    expect(await refusal(await server.admin("DELETE", "/scopes/read"))).toEqual(
      [409, "conflict", "scope_of_resource"],
    );
    await put(URI, { scope: null });
    expect((await server.admin("DELETE", "/scopes/read")).status).toBe(204);
  });
});

describe("an operator", () => {
  it("takes from clients and gives them nothing", async () => {
    const { token } = await makeToken("operator");
    const path = pathOfResource(URI);
    const change = async (body: object) =>
      (await askWith(server, token, "PUT", path, body)).status;
    expect(await change({ name: "Notes", scope: "read" })).toBe(200);
    for (const body of [
      { self_registered_clients: true },
      { audience: "urn:notes" },
      { access_token_format: "league" },
      { access_token_ttl: "PT5M" },
    ])
      expect(await change(body), JSON.stringify(body)).toBe(403);
    await put(URI, { self_registered_clients: true, access_token_ttl: "PT5M" });
    expect(await change({ scope: "read write" })).toBe(403);
    expect(await change({ access_token_ttl: "PT6M" })).toBe(403);
    expect(await change({ access_token_ttl: null })).toBe(403);
    expect(await change({ access_token_ttl: "PT4M" })).toBe(200);
    expect(await change({ self_registered_clients: false })).toBe(200);
    // Without the entry, the client's own lifetime counts.
    const removed = await askWith(server, token, "DELETE", path);
    expect(await refusal(removed)).toEqual([
      403,
      "insufficient_scope",
      "admin_role_insufficient",
    ]);
    expect(await list()).toHaveLength(1);
  });

  it("lets no scope of a resource into tokens for others", async () => {
    const { token } = await makeToken("operator");
    const other = "https://other.example.com";
    await put(URI, { scope: "write" });
    await put(other, { scope: "read" });
    const client = await server.makeClient({
      redirect_uris: [REDIRECT_URI],
      scope: "read write",
      resources: [URI, other],
    });
    const before = targetOf(await signIn(client, { resource: other }));
    expect(before).toMatchObject({ aud: other, scope: "read" });
    const path = pathOfResource(URI);
    for (const [method, ofPath, body] of [
      ["PUT", path, { scope: "" }],
      ["DELETE", path, undefined],
      ["PUT", pathOfResource(other), { scope: "read write" }],
      ["PUT", pathOfResource("https://third.example.com"), { scope: "write" }],
    ] as const) {
      const refused = await askWith(server, token, method, ofPath, body);
      expect(refused.status, `${method} ${ofPath}`).toBe(403);
    }
    const after = targetOf(await signIn(client, { resource: other }));
    expect(after).toEqual(before);
    // Each change is one that an operator may make as long as it lets nothing out.
    await server.makeScopes("more");
    for (const [method, ofPath, body] of [
      ["PUT", path, { scope: "write more" }],
      ["PUT", pathOfResource("https://third.example.com"), {}],
      ["DELETE", pathOfResource("https://third.example.com"), undefined],
    ] as const) {
      const { status } = await askWith(server, token, method, ofPath, body);
      expect([200, 204], `${method} ${ofPath}`).toContain(status);
    }
  });
});

describe("a catalogue of resources", () => {
  it("costs a refresh in a new isolate no read of KV more", async () => {
    await put(URI, { scope: "read" });
    const client = await server.makeClient({ resources: [URI], scope: "read" });
    const { refresh_token } = await server.login(client);
    const { calls, bindings } = countingBindings();
    await serverWith(bindings).expectRefresh(client, refresh_token);
    expect(calls).toEqual({ family: 1, kvRead: 2, kvWrite: 0 });
  });

  it("is listed in the metadata as far as it is open to everybody (RFC 9728 section 4)", async () => {
    const metadata = async () =>
      (
        await serverWith({}).http("/.well-known/oauth-authorization-server")
      ).json();
    await put(URI, {});
    expect(await metadata()).not.toHaveProperty("protected_resources");
    await put(URI, { self_registered_clients: true });
    expect(await metadata()).toMatchObject({ protected_resources: [URI] });
  });

  it("that cannot be read is named in /health, and no token is issued", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    await env.KV.put("resources", '{"not a URI":{}}');
    const broken = serverWith({});
    const response = await broken.health();
    expect([response.status, await response.json()]).toEqual([
      503,
      {
        status: "failing",
        problems: [{ name: "resources", problem: expect.any(String) }],
      },
    ]);
    expect(await refusal(await broken.refresh(client, refresh_token))).toEqual([
      500,
      "server_error",
      "record_malformed",
    ]);
    await env.KV.delete("resources");
    await serverWith({}).expectRefresh(client, refresh_token);
  });
});
