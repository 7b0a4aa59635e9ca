import { decodeJwt } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { authorize, makeWebClient } from "../support/authorization.ts";
import { putResource, signIn, targetOf } from "../support/resources.ts";
import { told } from "../support/refusals.ts";
import { ISSUER, refusal, server, type TestClient } from "../support/server.ts";

/** What the catalogue of resources decides of tokens (RFC 8707). */

const NOTES = "https://notes.example.com/api";
const MAIL = "https://mail.example.com/";
const PLAIN = "https://plain.example.com";

beforeAll(async () => {
  await server.makeScopes("free");
  await putResource(NOTES, {
    scope: "notes",
    audience: "urn:notes",
    access_token_ttl: "PT5M",
  });
  await putResource(MAIL, { scope: "mail openid", access_token_ttl: "PT10M" });
});

function makeClient(metadata: Record<string, unknown> = {}) {
  return makeWebClient({
    scope: "notes mail free",
    resources: [NOTES, MAIL, PLAIN],
    grant_types: ["authorization_code", "refresh_token", "client_credentials"],
    ...metadata,
  });
}

function own(client: TestClient, more: string[][]) {
  return server.token([
    ["grant_type", "client_credentials"],
    ["client_id", client.client_id],
    ["client_secret", client.client_secret],
    ...more,
  ]);
}

describe("a token for a resource of the catalogue", () => {
  it("has its audience, its lifetime, and the scopes that belong to it or to no resource", async () => {
    const client = await makeClient();
    const tokens = await server.login(client, { resource: NOTES });
    expect(targetOf(tokens)).toEqual({
      aud: "urn:notes",
      scope: "notes free",
      seconds: 300,
    });
    expect(tokens.scope).toBe("notes free");
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(targetOf(next)).toEqual(targetOf(tokens));
  });

  it("is spelled as the catalogue spells it, however the client and the request do", async () => {
    const client = await makeClient({
      resources: ["https://MAIL.example.com"],
    });
    const tokens = await server.login(client, {
      resource: "https://mail.example.com:443/",
    });
    expect(targetOf(tokens)).toMatchObject({ aud: MAIL, scope: "mail free" });
  });

  it("has the shortest lifetime and every scope of several resources", async () => {
    const client = await makeClient();
    const tokens = await server.login(client, { resource: [MAIL, NOTES] });
    expect(targetOf(tokens)).toEqual({
      aud: [MAIL, "urn:notes"],
      scope: "notes mail free",
      seconds: 300,
    });
  });

  it("is for the client's only resource if none is named, by the same rules", async () => {
    const client = await makeClient({ resources: [NOTES] });
    const tokens = await server.login(client);
    expect(targetOf(tokens)).toEqual({
      aud: "urn:notes",
      scope: "notes free",
      seconds: 300,
    });
    const next = await server.expectRefresh(client, tokens.refresh_token);
    expect(targetOf(next)).toEqual(targetOf(tokens));
  });

  it("of the client itself follows the same rules", async () => {
    const client = await makeClient();
    const response = await own(client, [["resource", NOTES]]);
    expect(targetOf(await response.json())).toEqual({
      aud: "urn:notes",
      scope: "notes free",
      seconds: 300,
    });
    const refused = await own(client, [
      ["resource", NOTES],
      ["scope", "mail"],
    ]);
    expect(await refusal(refused)).toEqual([
      400,
      "invalid_scope",
      "scope_of_another_resource",
    ]);
  });

  it("lives as long as the resource says, also if the client cannot refresh", async () => {
    const client = await makeClient({
      grant_types: ["authorization_code"],
      access_token_ttl: "PT1M",
    });
    const tokens = await signIn(client, { resource: NOTES });
    expect(targetOf(tokens).seconds).toBe(300);
  });

  it("has the format of the resource, and rfc9068 for resources that differ", async () => {
    await putResource("https://old.example.com", {
      access_token_format: "league",
    });
    const client = await makeClient({
      resources: ["https://old.example.com", MAIL],
    });
    const formatFor = async (resource: string | string[]) =>
      "scopes" in
      decodeJwt((await server.login(client, { resource })).access_token);
    expect(await formatFor("https://old.example.com")).toBe(true);
    expect(await formatFor(["https://old.example.com", MAIL])).toBe(false);
  });
});

describe("a scope that belongs to another resource", () => {
  it("is refused by name at a refresh, and nothing is consumed", async () => {
    const client = await makeClient();
    const tokens = await server.login(client);
    for (const more of [{ resource: NOTES, scope: "notes mail" }]) {
      const response = await server.refresh(client, tokens.refresh_token, more);
      expect(await refusal(response)).toEqual([
        400,
        "invalid_scope",
        "scope_of_another_resource",
      ]);
    }
    const next = await server.expectRefresh(client, tokens.refresh_token, {
      resource: NOTES,
    });
    expect(targetOf(next)).toMatchObject({ scope: "notes free" });
  });

  it("is refused at a refresh with a sentence that does not need its name, which the login does not tell", async () => {
    const client = await makeClient();
    const tokens = await server.login(client);
    const more = { resource: NOTES, scope: "mail" };
    const response = await server.refresh(client, tokens.refresh_token, more);
    const { error_description } = await response.json<{
      error_description: string;
    }>();
    expect(error_description).toMatch(
      /^A scope that was asked for or granted belongs /,
    );
  });

  it("is refused by name for the resource of the login and for the client's only one, which the request leaves out", async () => {
    const client = await makeClient();
    const named = await server.login(client, { resource: [NOTES, MAIL] });
    const narrowed = { resource: MAIL, scope: "notes" };
    expect(
      await refusal(
        await server.refresh(client, named.refresh_token, narrowed),
      ),
    ).toEqual([400, "invalid_scope", "scope_of_another_resource"]);
    await server.expectRefresh(client, named.refresh_token);
  });

  it("leaves a login that has no other scope without a token for this resource", async () => {
    const client = await makeClient();
    const tokens = await server.login(client, { scope: "mail" });
    const response = await server.refresh(client, tokens.refresh_token, {
      resource: NOTES,
    });
    expect(await refusal(response)).toEqual([
      400,
      "invalid_scope",
      "scope_of_another_resource",
    ]);
    await server.expectRefresh(client, tokens.refresh_token, {
      resource: MAIL,
    });
  });

  it("is dropped from an authorization request, as one that the client may not have", async () => {
    const client = await makeClient();
    const tokens = await signIn(client, {
      resource: NOTES,
      scope: "notes mail",
    });
    expect(targetOf(tokens)).toMatchObject({ scope: "notes" });
    const alone = { resource: NOTES, scope: "mail" };
    expect(told(await authorize(client, alone))).toEqual([
      expect.objectContaining({ error: "invalid_scope" }),
      "scope_of_another_resource",
    ]);
  });

  it("is left out of a token for a resource that the catalogue does not have", async () => {
    const client = await makeClient();
    const tokens = await server.login(client, { resource: PLAIN });
    expect(targetOf(tokens)).toMatchObject({ aud: PLAIN, scope: "free" });
  });

  it("is none of the scopes of OpenID Connect, although a resource lists them", async () => {
    const client = await makeClient({ scope: "openid notes" });
    const tokens = await server.login(client, { resource: NOTES });
    expect(tokens.scope).toBe("openid notes");
  });
});

describe("without a resource", () => {
  it("nothing changes: neither for a client that has none, nor for one that names none of several", async () => {
    const [without, several] = [
      await makeClient({ resources: [] }),
      await makeClient(),
    ];
    for (const client of [without, several]) {
      const tokens = await server.login(client);
      expect(targetOf(tokens)).toEqual({
        aud: ISSUER,
        scope: "notes mail free",
        seconds: 3600,
      });
    }
  });
});

describe("introspection of a token for a resource with an audience of its own", () => {
  it.each([NOTES, "urn:notes"])(
    "is for the resource server %s and for no other",
    async (resource_server) => {
      const client = await makeClient();
      const { access_token } = await server.login(client, { resource: NOTES });
      const api = await server.makeClient({ resource_server, scope: "" });
      const other = await server.makeClient({ resource_server: MAIL });
      const answer = async (asking: TestClient) =>
        (await server.about("/introspect", asking, access_token)).json();
      expect(await answer(api)).toMatchObject({
        active: true,
        aud: "urn:notes",
      });
      expect(await answer(client)).toMatchObject({ active: true });
      expect(await answer(other)).toEqual({ active: false });
    },
  );

  it("says when a token of the client itself ends, by the lifetime of the resource", async () => {
    const client = await makeClient({ access_token_ttl: "PT1M" });
    const { access_token } = await (
      await own(client, [["resource", NOTES]])
    ).json<{ access_token: string }>();
    const answer = await server.about("/introspect", client, access_token);
    expect(await answer.json()).toMatchObject({
      active: true,
      exp: decodeJwt(access_token).exp,
    });
  });

  it("is that of an administrator too", async () => {
    const client = await makeClient();
    const { access_token: token } = await server.login(client, {
      resource: NOTES,
    });
    expect(
      await server.expectAdmin("POST", "/introspect", { token }),
    ).toMatchObject({ active: true });
  });
});
