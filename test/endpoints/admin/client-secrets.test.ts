import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { type ClientRecord, fieldErrors } from "../../support/admin.ts";
import { refusal, server } from "../../support/server.ts";

/** Tests client secrets: those that the caller gives, and rotation. */

/** A secret that another server made, with characters that HTTP Basic must encode. */
const GIVEN_SECRET = "s3cret of ~the~ old:server+100%";

describe("POST /admin/clients with client_secret", () => {
  it("stores only a hash of the given secret, and does not return the secret", async () => {
    const client_id = crypto.randomUUID();
    const response = await server.admin("POST", "/clients", {
      client_id,
      client_secret: GIVEN_SECRET,
    });
    expect(response.status).toBe(201);
    const text = await response.text();
    expect(text).not.toContain(GIVEN_SECRET);
    const made = JSON.parse(text) as ClientRecord;
    expect(made).not.toHaveProperty("client_secret");
    expect(made).not.toHaveProperty("client_secret_expires_at");
    expect(made.credentials).toEqual([
      { created_at: made.client_id_issued_at },
    ]);
    const stored = await env.KV.get(`client:${client_id}`);
    expect(stored).not.toContain(GIVEN_SECRET);

    const client = { client_id, client_secret: GIVEN_SECRET };
    const { refresh_token } = await server.login(client);
    await server.expectRefresh(client, refresh_token);
  });

  it("of null makes a confidential client that can't authenticate until it is given a secret", async () => {
    const made = await server.expectAdmin<ClientRecord>("POST", "/clients", {
      client_secret: null,
    });
    expect(made).not.toHaveProperty("client_secret");
    expect(made).not.toHaveProperty("token_endpoint_auth_method");
    expect(made.credentials).toEqual([]);
    const { client_id } = made;
    const { refresh_token } = await server.login(made);
    for (const nothing of [{ client_id }, { client_id, client_secret: "" }]) {
      const response = await server.refresh(nothing, refresh_token);
      expect(await refusal(response)).toEqual([
        401,
        "invalid_client",
        "client_authentication_method_wrong",
      ]);
    }
    const path = `/clients/${client_id}/secrets`;
    const given = await server.expectAdmin<ClientRecord>("POST", path, {});
    await server.expectRefresh(given, refresh_token);
  });

  it.each([GIVEN_SECRET, null])(
    "is refused for a public client (%#)",
    async (client_secret) => {
      const client_id = crypto.randomUUID();
      const response = await server.admin("POST", "/clients", {
        client_id,
        client_secret,
        token_endpoint_auth_method: "none",
      });
      expect(Object.keys(await fieldErrors(response))).toEqual([
        "client_secret",
      ]);
      const made = await server.admin("GET", `/clients/${client_id}`);
      expect(await refusal(made)).toEqual([
        404,
        "not_found",
        "admin_target_unknown",
      ]);
    },
  );

  it("does not quote a secret that it refuses", async () => {
    const client_secret = "geheimniskr\u00e4merei";
    const response = await server.admin("POST", "/clients", { client_secret });
    expect(await response.text()).not.toContain("geheim");
  });
});

describe("POST /admin/clients/{client_id}/secrets", () => {
  it("answers 201 with a new secret, and the old one ends after a day", async () => {
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

  it("adds the given secret, and does not return it", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const response = await server.admin("POST", path, {
      client_secret: GIVEN_SECRET,
    });
    expect(response.status).toBe(201);
    const text = await response.text();
    expect(text).not.toContain(GIVEN_SECRET);
    const { credentials } = JSON.parse(text) as ClientRecord;
    expect(credentials).toHaveLength(2);
    expect(credentials[1]?.expires_at).toBe(
      (credentials[0]?.created_at ?? 0) + 86_400,
    );
    let { refresh_token } = await server.login(client);
    ({ refresh_token } = await server.expectRefresh(client, refresh_token));
    const renewed = { ...client, client_secret: GIVEN_SECRET };
    await server.expectRefresh(renewed, refresh_token);
  });

  it("keeps one entry, without an end, for a given secret that is already in force", async () => {
    const client = await server.makeClient({ client_secret: GIVEN_SECRET });
    const path = `/clients/${client.client_id}/secrets`;
    const secretBody = { client_secret: GIVEN_SECRET };
    for (let n = 0; n < 7; n++) {
      const { credentials } = await server.expectAdmin<ClientRecord>(
        "POST",
        path,
        secretBody,
      );
      expect(credentials).toEqual([{ created_at: expect.any(Number) }]);
    }
    await server.expectAdmin("POST", path, {});
    const again = await server.expectAdmin<ClientRecord>(
      "POST",
      path,
      secretBody,
    );
    expect(again.credentials).toEqual([
      { created_at: expect.any(Number) },
      { created_at: expect.any(Number), expires_at: expect.any(Number) },
    ]);
    const { refresh_token } = await server.login(client);
    await server.expectRefresh({ ...client, ...secretBody }, refresh_token);
  });

  it("puts a given secret that has ended in force again", async () => {
    const client = await server.makeClient({ client_secret: GIVEN_SECRET });
    const path = `/clients/${client.client_id}/secrets`;
    const secretBody = { client_secret: GIVEN_SECRET };
    await server.expectAdmin("POST", path, { old_secret_ttl: "PT0S" });
    const { refresh_token } = await server.login(client);
    const old = await server.refresh(
      { ...client, ...secretBody },
      refresh_token,
    );
    expect(await refusal(old)).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    await server.expectAdmin("POST", path, secretBody);
    await server.expectRefresh({ ...client, ...secretBody }, refresh_token);
  });

  it.each(["", "x".repeat(256), "geheim\u00fc", null, 7])(
    "refuses an invalid client_secret (%#) and names the field",
    async (client_secret) => {
      const { client_id } = await server.makeClient();
      const path = `/clients/${client_id}/secrets`;
      const response = await server.admin("POST", path, { client_secret });
      expect(Object.keys(await fieldErrors(response))).toEqual([
        "client_secret",
      ]);
    },
  );

  it("ends the old secrets at once with PT0S", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    const { refresh_token } = await server.login(client);
    const rotated = await server.expectAdmin<ClientRecord>("POST", path, {
      old_secret_ttl: "PT0S",
    });
    expect(rotated.credentials).toHaveLength(1);
    const old = await server.refresh(client, refresh_token);
    expect(await refusal(old)).toEqual([
      401,
      "invalid_client",
      "client_secret_wrong",
    ]);
    await server.expectRefresh(rotated, refresh_token);
  });

  it("never postpones the end of a secret that is already ending", async () => {
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

  it("keeps at most five secrets in force, the newest included", async () => {
    const client = await server.makeClient();
    const path = `/clients/${client.client_id}/secrets`;
    for (let n = 0; n < 4; n++) await server.expectAdmin("POST", path, {});
    expect(await refusal(await server.admin("POST", path, {}))).toEqual([
      409,
      "conflict",
      "too_many_client_secrets",
    ]);
    const cleared = await server.expectAdmin<ClientRecord>("POST", path, {
      old_secret_ttl: "PT0S",
    });
    expect(cleared.credentials).toHaveLength(1);
  });

  it("refuses a public client, an unknown client and an invalid duration", async () => {
    const publicClient = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const refused = await server.admin(
      "POST",
      `/clients/${publicClient.client_id}/secrets`,
      {},
    );
    expect(await refusal(refused)).toEqual([
      409,
      "conflict",
      "client_has_no_secret",
    ]);
    const given = await server.admin(
      "POST",
      `/clients/${publicClient.client_id}/secrets`,
      { client_secret: GIVEN_SECRET },
    );
    expect(await refusal(given)).toEqual([
      409,
      "conflict",
      "client_has_no_secret",
    ]);
    const nobody = await server.admin("POST", "/clients/nobody/secrets", {});
    expect(await refusal(nobody)).toEqual([
      404,
      "not_found",
      "admin_target_unknown",
    ]);
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
