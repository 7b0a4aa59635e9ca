import { describe, expect, it } from "vitest";
import { type ClientRecord, fieldErrors } from "../../support/admin.ts";
import { refusal, server } from "../../support/server.ts";

/** `POST /admin/clients/{client_id}/secrets`: rotating a secret. */

describe("POST /admin/clients/{client_id}/secrets", () => {
  it("answers 201 with a new secret; the old one ends after a day", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const response = await server.admin("POST", path);
    expect(response.status).toBe(201);
    const rotated = await response.json<ClientRecord>();
    expect(rotated.client_secret).not.toBe(client.client_secret);
    const [newest, old] = rotated.credentials;
    expect(newest).not.toHaveProperty("expires_at");
    expect(old?.expires_at).toBe((newest?.created_at ?? 0) + 86_400);
    let { refresh_token } = await server.login(client);
    ({ refresh_token } = await server.expectRefresh(client, refresh_token));
    await server.expectRefresh(rotated, refresh_token);
  });

  it("ends the old ones at once with PT0S", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const { refresh_token } = await server.login(client);
    const rotated = await server.expectAdmin<ClientRecord>("POST", path, {
      old_secret_ttl: "PT0S",
    });
    expect(rotated.credentials).toHaveLength(1);
    const old = await server.refresh(client, refresh_token);
    expect(await refusal(old)).toEqual([401, "invalid_client"]);
    await server.expectRefresh(rotated, refresh_token);
  });

  it("never lengthens the life of a secret that is already ending", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const first = await server.expectAdmin<ClientRecord>("POST", path, {
      old_secret_ttl: "PT1H",
    });
    const second = await server.expectAdmin<ClientRecord>("POST", path, {
      old_secret_ttl: "P30D",
    });
    expect(second.credentials[2]?.expires_at).toBe(
      first.credentials[1]?.expires_at,
    );
  });

  it("keeps at most five others in force", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    for (let n = 0; n < 4; n++) await server.expectAdmin("POST", path, {});
    expect(await refusal(await server.admin("POST", path, {}))).toEqual([
      409,
      "conflict",
    ]);
    const cleared = await server.expectAdmin<ClientRecord>("POST", path, {
      old_secret_ttl: "PT0S",
    });
    expect(cleared.credentials).toHaveLength(1);
  });

  it("refuses a public client, an unknown client and a bad duration", async () => {
    const publicClient = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const refused = await server.admin(
      "POST",
      `/clients/${publicClient.client_id}/secrets`,
      {},
    );
    expect(await refusal(refused)).toEqual([409, "conflict"]);
    expect(
      (await server.admin("POST", "/clients/nobody/secrets", {})).status,
    ).toBe(404);
    const client = await server.makeClient();
    for (const old_secret_ttl of ["-PT1S", "1h", 60]) {
      const response = await server.admin(
        "POST",
        `/clients/${client.client_id}/secrets`,
        { old_secret_ttl },
      );
      expect(Object.keys(await fieldErrors(response))).toEqual([
        "old_secret_ttl",
      ]);
    }
  });
});
