import { beforeAll, describe, expect, it } from "vitest";
import type { ClientRecord } from "../../support/admin.ts";
import { authorize, makeWebClient } from "../../support/authorization.ts";
import { shown } from "../../support/refusals.ts";
import { refusal, server, type TestClient } from "../../support/server.ts";

/** Tests clients that an operator has disabled: unknown to everybody, until they are enabled again. */

beforeAll(() => server.makeScopes("read"));

function setDisabled({ client_id }: { client_id: string }, disabled: boolean) {
  return server.expectAdmin<ClientRecord>("PATCH", `/clients/${client_id}`, {
    disabled,
  });
}

const disabled = [401, "invalid_client", "client_disabled"];

async function isActive(
  asking: TestClient,
  token: string,
): Promise<boolean | undefined> {
  const response = await server.about("/introspect", asking, token);
  return (await response.json<{ active?: boolean }>()).active;
}

describe("a disabled client", () => {
  it("has the time in its record, which a second request keeps and which goes when it is enabled", async () => {
    const client = await server.makeClient();
    const first = await setDisabled(client, true);
    expect(first["disabled_at"]).toEqual(expect.any(Number));
    expect(await setDisabled(client, true)).toEqual(first);
    expect(await setDisabled(client, false)).not.toHaveProperty("disabled_at");
  });

  it("can be made as such, and keeps being disabled when other fields change", async () => {
    const client = await server.makeClient({ disabled: true });
    expect(client).toHaveProperty("disabled_at");
    const changed = await server.expectAdmin(
      "PATCH",
      `/clients/${client.client_id}`,
      { client_name: "Notes" },
    );
    expect(changed).toMatchObject({
      client_name: "Notes",
      disabled_at: expect.any(Number),
    });
  });

  it("is refused in the very words for a client that does not exist; the log names it", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    await setDisabled(client, true);
    const refused = await server.refresh(client, refresh_token);
    const nobody = await server.refresh(
      { client_id: "nobody", client_secret: "x" },
      refresh_token,
    );
    const text = await refused.clone().text();
    expect(text).toEqual(await nobody.text());
    expect([...refused.headers.keys()]).toEqual([...nobody.headers.keys()]);
    expect(await refusal(refused)).toEqual(disabled);
    const wrong = { ...client, client_secret: "wrong" };
    expect(await refusal(await server.refresh(wrong, refresh_token))).toEqual(
      disabled,
    );
  });

  it.each(["/revoke", "/introspect"] as const)(
    "is refused at %s",
    async (path) => {
      const client = await server.makeClient();
      const { refresh_token } = await server.login(client);
      await setDisabled(client, true);
      const response = await server.about(path, client, refresh_token);
      expect(await refusal(response)).toEqual(disabled);
      await setDisabled(client, false);
      await server.expectRefresh(client, refresh_token);
    },
  );

  it("is unknown to /authorize", async () => {
    const client = await makeWebClient();
    await setDisabled(client, true);
    expect(await shown(await authorize(client))).toEqual([
      400,
      "invalid_request",
      "authorization_client_unknown",
    ]);
  });

  it("has no active token for a resource server", async () => {
    const api = "https://api.example.com";
    const asking = await server.makeClient({ resource_server: api });
    const client = await server.makeClient({ resources: [api] });
    const { access_token } = await server.login(client);
    expect(await isActive(asking, access_token)).toBe(true);
    await setDisabled(client, true);
    expect(await isActive(asking, access_token)).toBe(false);
    await setDisabled(client, false);
    expect(await isActive(asking, access_token)).toBe(true);
  });

  it("gets no new grant from a back end, and the refusal says why", async () => {
    const client = await server.makeClient({ disabled: true });
    const response = await server.admin("POST", "/grants", {
      client_id: client.client_id,
      subject: "alice",
    });
    expect(await response.json()).toMatchObject({
      fields: { client_id: "the client is disabled. Enable it first" },
    });
  });

  it("keeps its secrets and logins, which work again when it is enabled", async () => {
    const client = await server.makeClient({ scope: "read" });
    const { refresh_token } = await server.login(client);
    await setDisabled(client, true);
    expect(await refusal(await server.refresh(client, refresh_token))).toEqual(
      disabled,
    );
    await setDisabled(client, false);
    const next = await server.expectRefresh(client, refresh_token);
    await server.expectRefresh(client, next.refresh_token);
  });
});
