import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { secretRecord } from "../../../src/oauth/clients/secret.ts";
import { fieldErrors, type ClientRecord } from "../../support/admin.ts";
import { server, serverWith, type TestClient } from "../../support/server.ts";

/** The least that a client secret must have if it was made elsewhere. */

const weak = [
  ["15 characters", "fifteen letters"],
  ["one repeated character", "x".repeat(40)],
] as const;
const SIXTEEN = "sixteen letters!";

/** Tells whether the client authenticates: the token that it sends is refused only afterwards. */
async function authenticates(
  client: TestClient,
  at = server,
): Promise<boolean> {
  const response = await at.refresh(client, "none");
  expect([400, 401]).toContain(response.status);
  return response.status === 400;
}

describe("a client secret that is given", () => {
  it.each(weak)("is refused by name if it has %s", async (_, client_secret) => {
    const client_id = crypto.randomUUID();
    const refused = await server.admin("POST", "/clients", {
      client_id,
      client_secret,
    });
    const fields = await fieldErrors(refused);
    expect(Object.keys(fields)).toEqual(["client_secret"]);
    expect(fields["client_secret"]).toMatch(
      /16 characters|one repeated character/,
    );
    expect(JSON.stringify(fields)).not.toContain(client_secret);
    const shown = await server.admin("GET", `/clients/${client_id}`);
    expect(shown.status).toBe(404);

    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const rotation = await server.admin("POST", path, { client_secret });
    expect(Object.keys(await fieldErrors(rotation))).toEqual(["client_secret"]);
    expect(await authenticates({ ...client, client_secret })).toBe(false);
    // The refused rotation has not ended the secret that the client has.
    const record = await server.expectAdmin<ClientRecord>(
      "GET",
      `/clients/${client.client_id}`,
    );
    expect(record.credentials).toHaveLength(1);
    expect(record.credentials[0]).not.toHaveProperty("expires_at");
  });

  it("may have 16 characters", async () => {
    const { client_id } = await server.makeClient({ client_secret: SIXTEEN });
    const client = { client_id, client_secret: SIXTEEN };
    expect(await authenticates(client)).toBe(true);
  });

  it.each(weak)(
    "may have %s if the request says allow_weak_secret",
    async (_, client_secret) => {
      const allowed = { client_secret, allow_weak_secret: true };
      const { client_id } = await server.makeClient(allowed);
      expect(await authenticates({ client_id, client_secret })).toBe(true);

      const other = await server.makeClient();
      const path = `/clients/${other.client_id}/secrets`;
      await server.expectAdmin("POST", path, allowed);
      expect(await authenticates({ ...other, client_secret })).toBe(true);
    },
  );

  it("is refused if allow_weak_secret is false, and the field is not part of the record", async () => {
    const client_secret = "short";
    const denied = { client_secret, allow_weak_secret: false };
    await fieldErrors(await server.admin("POST", "/clients", denied));
    const allowed = { client_secret, allow_weak_secret: true };
    const client = await server.makeClient(allowed);
    expect(client).not.toHaveProperty("allow_weak_secret");
    const path = `/clients/${client.client_id}`;
    const patch = await server.admin("PATCH", path, {
      allow_weak_secret: true,
    });
    expect(Object.keys(await fieldErrors(patch))).toEqual([
      "allow_weak_secret",
    ]);
  });
});

describe("a client whose record has a weak secret already", () => {
  it("goes on working, also after a change of its metadata", async () => {
    const { client_id } = await server.makeClient({ client_secret: null });
    const key = `client:${client_id}`;
    const record = await env.KV.get<Record<string, unknown>>(key, "json");
    const secrets = [await secretRecord("hunter2", 1_700_000_000)];
    await env.KV.put(key, JSON.stringify({ ...record, secrets }));
    const client = { client_id, client_secret: "hunter2" };
    // An isolate that has read nothing yet.
    const other = serverWith({});
    expect(await authenticates(client, other)).toBe(true);
    const change = { client_name: "Old" };
    await other.expectAdmin("PATCH", `/clients/${client_id}`, change);
    expect(await authenticates(client, other)).toBe(true);
  });
});

describe("the OpenAPI document", () => {
  it("describes the floor and how to allow less", async () => {
    const { components } = await server.expectAdmin<{
      components: {
        schemas: Record<
          string,
          { properties: Record<string, { description: string }> }
        >;
      };
    }>("GET", "/openapi.json");
    const { properties } = components.schemas["NewClient"]!;
    expect(properties["client_secret"]?.description).toContain("16 characters");
    expect(properties["allow_weak_secret"]?.description).toContain("weaker");
  });
});
