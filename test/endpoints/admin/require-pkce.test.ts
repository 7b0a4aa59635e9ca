import { beforeEach, describe, expect, it } from "vitest";
import { fieldErrors } from "../../support/admin.ts";
import { server, type TestClient } from "../../support/server.ts";

/** Tests the field `require_pkce` of `/admin/clients`: only a confidential client may have `false`. */

let client: TestClient;

beforeEach(async () => {
  client = await server.makeClient({ require_pkce: false });
});

function patch(fields: Record<string, unknown>): Promise<unknown> {
  return server.expectAdmin("PATCH", `/clients/${client.client_id}`, fields);
}

describe("require_pkce", () => {
  const show = () =>
    server.expectAdmin<Record<string, unknown>>(
      "GET",
      `/clients/${client.client_id}`,
    );

  it("is shown as it was set, and is not there by default", async () => {
    expect(await show()).toMatchObject({ require_pkce: false });
    await patch({ require_pkce: true });
    expect(await show()).toMatchObject({ require_pkce: true });
    await patch({ require_pkce: null });
    expect(await show()).not.toHaveProperty("require_pkce");
    await patch({ require_pkce: false });
    expect(await show()).toMatchObject({ require_pkce: false });
    // A change of another field keeps it.
    await patch({ client_name: "Speaker" });
    expect(await show()).toMatchObject({ require_pkce: false });
    const made = await server.expectAdmin("POST", "/clients", {});
    expect(made).not.toHaveProperty("require_pkce");
  });

  it.each([["false"], [0], [""], [[]], [{}]])(
    "must be a boolean, not %j",
    async (require_pkce) => {
      const response = await server.admin("POST", "/clients", { require_pkce });
      expect(Object.keys(await fieldErrors(response))).toEqual([
        "require_pkce",
      ]);
    },
  );

  it("must not be false for a public client, when it is made or changed", async () => {
    const open = { token_endpoint_auth_method: "none" };
    const made = await server.makeClient(open);
    const answers = [
      await server.admin("POST", "/clients", { ...open, require_pkce: false }),
      await server.admin("PATCH", `/clients/${made.client_id}`, {
        require_pkce: false,
      }),
      await server.admin("PATCH", `/clients/${client.client_id}`, open),
      await server.admin("PATCH", `/clients/${client.client_id}`, {
        ...open,
        require_pkce: false,
      }),
    ];
    for (const response of answers)
      expect(Object.keys(await fieldErrors(response))).toEqual([
        "require_pkce",
      ]);
    // The refused changes have changed nothing.
    const shown = await show();
    expect(shown).toMatchObject({ require_pkce: false });
    expect(shown).not.toHaveProperty("token_endpoint_auth_method");
    expect(shown["credentials"]).toHaveLength(1);
  });

  it("may be true for a public client, and a client without the waiver may become public", async () => {
    const open = { token_endpoint_auth_method: "none" };
    await server.expectAdmin("POST", "/clients", {
      ...open,
      require_pkce: true,
    });
    await patch({ ...open, require_pkce: null });
    expect(await show()).toMatchObject(open);
    expect(await show()).not.toHaveProperty("require_pkce");
  });

  it("is in the OpenAPI document, for requests and answers", async () => {
    const { components } = await server.expectAdmin<{
      components: {
        schemas: Record<string, { properties: Record<string, object> }>;
      };
    }>("GET", "/openapi.json");
    for (const name of ["NewClient", "ClientPatch", "Client"])
      expect(
        components.schemas[name]?.properties["require_pkce"],
        name,
      ).toMatchObject({ description: expect.any(String) });
  });
});
