import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { leagueServer, oldToken, takeOver } from "./support/league.ts";
import { listenToLog, parsedLog } from "./support/log.ts";
import {
  basic,
  server,
  serverWith,
  type TestClient,
} from "./support/server.ts";

/** Tests that each request writes one structured line, and that no line contains a secret. */

let lines: string[];

beforeEach(() => {
  lines = listenToLog();
});

afterEach(() => {
  vi.restoreAllMocks();
});

const parsed = () => parsedLog(lines);
/** The lines of requests, without those of events (`events.test.ts`). */
const requests = () => parsed().filter(({ event }) => event === "request");

describe("the log", () => {
  it("has one line for a refresh, with everything that an operator needs", async () => {
    const client = await server.makeClient();
    const { refresh_token } = await server.login(client);
    lines.length = 0;
    const response = await server.refresh(client, refresh_token);
    expect(parsed()).toEqual([
      {
        event: "request",
        request_id: response.headers.get("X-Request-Id"),
        endpoint: "/access_token",
        method: "POST",
        status: 200,
        grant_type: "refresh_token",
        client_id: client.client_id,
        outcome: "ok",
        duration_ms: expect.any(Number),
        durations_ms: {
          client: expect.any(Number),
          scopes: expect.any(Number),
          family: expect.any(Number),
          sign: expect.any(Number),
        },
      },
    ]);
  });

  it("has the duration of the family step if a league token is revoked or introspected", async () => {
    const server = leagueServer("defuse");
    const client = await takeOver(server, "log");
    const token = await oldToken({ client_id: "log" });
    lines.length = 0;
    await server.about("/introspect", client, token);
    await server.about("/revoke", client, token);
    for (const endpoint of ["/introspect", "/revoke"])
      expect(parsed()).toContainEqual(
        expect.objectContaining({
          endpoint,
          durations_ms: {
            client: expect.any(Number) as number,
            family: expect.any(Number) as number,
          },
        }),
      );
  });

  it("has the precise reason of a refusal, while the response has the standard code", async () => {
    const client = await server.makeClient();
    const otherClient = await server.makeClient();
    const first = await server.login(client);
    const { refresh_token } = await server.expectRefresh(
      client,
      first.refresh_token,
    );
    lines.length = 0;
    await server.refresh(otherClient, refresh_token);
    await server.refresh(client, "garbage");
    await server.refresh({ ...client, client_secret: "x" }, refresh_token);
    await server.refresh({ client_id: "nobody" }, refresh_token);
    await server.refresh(client, refresh_token, { scope: "more" });
    await server.refresh(client, first.refresh_token);
    await server.refresh(client, refresh_token);
    const clients = requests().map(({ client_id }) => client_id);
    const { client_id } = client;
    expect(clients.slice(0, 4)).toEqual([
      otherClient.client_id,
      client_id,
      client_id,
      undefined,
    ]);
    const reasons = requests().map(({ outcome, reason }) => [outcome, reason]);
    expect(reasons).toEqual([
      ["invalid_grant", "refresh_token_of_another_client"],
      ["invalid_grant", "refresh_token_malformed"],
      ["invalid_client", "client_secret_wrong"],
      ["invalid_client", "client_unknown"],
      ["invalid_scope", "scope_not_granted"],
      ["invalid_grant", "refresh_token_reused"],
      ["invalid_grant", "family_ended"],
    ]);
  });

  it("names the route and not the path, because a path may contain a secret", async () => {
    await server.http("/access_token/secret-in-the-path");
    await server.http("/secret-in-the-path");
    await server.http("/health?secret-in-the-query");
    await server.admin("GET", "/clients/secret-in-the-path");
    expect(parsed().map(({ endpoint }) => endpoint)).toEqual([
      "none",
      "none",
      "/health",
      "/admin/clients/:client_id",
    ]);
    expect(lines.join("")).not.toContain("secret-in");
  });

  it("never contains a token, a secret or a key, even if it is sent in the wrong place", async () => {
    const client = await server.makeClient();
    const publicClient = await server.makeClient({
      token_endpoint_auth_method: "none",
    });
    const rotated = await server.expectAdmin<TestClient>(
      "POST",
      `/clients/${client.client_id}/secrets`,
      {},
    );
    const first = await server.login(client);
    const second = await server.expectRefresh(client, first.refresh_token);
    const secret = client.client_secret;
    const token = second.refresh_token;
    const { ADMIN_TOKEN } = env;
    await server.refresh({ client_id: token, client_secret: token }, secret);
    await server.refresh({ client_id: secret }, secret, {
      scope: token,
      resource: token,
    });
    await server.refresh(client, token, { scope: token });
    await server.refresh(client, token, { resource: token });
    await server.refresh(client, `${token}x`);
    await server.refresh(publicClient, token);
    await server.token({ grant_type: token });
    await server.token(
      { grant_type: secret, client_id: secret },
      { Authorization: basic(secret, token) },
    );
    await server.token([], {
      "Content-Type": token,
      "X-Request-Id": token,
      "CF-Ray": token,
    });
    await server.token(
      { [token]: secret },
      {},
      `?refresh_token=${token}&client_secret=${secret}`,
    );
    await server.http(`/${token}`, {
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    await server.http("/admin/clients", {
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}x` },
    });
    await server.admin("GET", `/clients/${secret}`);
    await server.admin("POST", "/clients", {
      [secret]: secret,
      scope: token,
      client_id: `${token}\n`,
    });
    await server.admin("POST", "/clients", secret);
    await server.admin("PUT", `/scopes/${token}`, {
      description: 7,
      [token]: token,
    });
    await server.admin("POST", "/grants", {
      client_id: secret,
      subject: token,
    });
    await server.admin("POST", "/grants", {
      client_id: client.client_id,
      subject: "bob",
      scope: token,
    });
    const failing = serverWith({
      KV: {
        getWithMetadata: () => {
          throw new Error("unreachable");
        },
      },
    });
    await failing.refresh(client, token);
    await serverWith({ PRIVATE_KEY: `{"kty": ${token}` }).refresh(
      client,
      token,
    );
    await server.refresh(client, first.refresh_token);

    const text = lines.join("\n");
    expect(lines.length).toBeGreaterThan(25);
    const privateKey = JSON.parse(env.PRIVATE_KEY) as { d: string };
    const secrets = {
      "refresh token": token,
      "used refresh token": first.refresh_token,
      "its body": token.slice("baton_rt_".length + 10, -10),
      "access token": second.access_token,
      "its signature": second.access_token.split(".")[2],
      "client secret": secret,
      "rotated client secret": rotated.client_secret,
      "admin token": ADMIN_TOKEN,
      "encryption key": env.ENCRYPTION_KEY,
      "private key": privateKey.d,
    };
    for (const [name, value] of Object.entries(secrets)) {
      expect(text.includes(value ?? ""), `${name} is in the log`).toBe(false);
    }
  });
});
