import { beforeEach, afterEach, describe, expect, it, vi } from "vitest";
import { fieldErrors } from "../support/admin.ts";
import { refusal, server } from "../support/server.ts";
import {
  makeDocumentClient,
  makeRegisteredClient,
} from "../support/self-registered.ts";

/** What an administrator may set in the record of a client that registered itself. */

/** A change of each field that the metadata document decides. */
const ofDocument: Record<string, unknown>[] = [
  { token_endpoint_auth_method: "client_secret_basic" },
  { token_endpoint_auth_method: null },
  { redirect_uris: ["https://other.example.com/callback"] },
  { client_name: "Another name" },
  { client_name: null },
  { grant_types: ["authorization_code"] },
  {
    grant_types: ["authorization_code", "refresh_token", "client_credentials"],
  },
];

beforeEach(() => server.makeScopes("read", "write"));
afterEach(() => {
  vi.restoreAllMocks();
});

function path({ client_id }: { client_id: string }): string {
  return `/clients/${encodeURIComponent(client_id)}`;
}

describe("the client of a metadata document", () => {
  it.each(["", "?dry_run=true"])(
    "keeps what its document decides (PATCH%s)",
    async (query) => {
      const client = await makeDocumentClient();
      const before = await server.expectAdmin("GET", path(client));
      for (const change of ofDocument) {
        const response = await server.admin("PATCH", path(client) + query, {
          access_token_ttl: "PT5M",
          ...change,
        });
        const fields = await fieldErrors(response);
        const [field = ""] = Object.keys(change);
        expect(Object.keys(fields)).toEqual([field]);
        expect(fields[field]).toContain("metadata document");
      }
      expect(await server.expectAdmin("GET", path(client))).toEqual(before);
    },
  );

  it("has every wrong field named at once", async () => {
    const client = await makeDocumentClient();
    const response = await server.admin("PATCH", path(client), {
      client_name: "Another name",
      redirect_uris: [],
    });
    expect(Object.keys(await fieldErrors(response))).toEqual([
      "client_name",
      "redirect_uris",
    ]);
  });

  it("goes on refreshing after a change of every other kind", async () => {
    const client = await makeDocumentClient();
    const { refresh_token } = await server.login(client);
    await server.expectAdmin("PATCH", path(client), {
      // The same as in the record.
      client_name: "An agent",
      token_endpoint_auth_method: "none",
      access_token_ttl: "PT5M",
      refresh_token_retry_window: "PT2M",
      scope: "read",
      disabled: true,
    });
    await server.expectAdmin("PATCH", path(client), { disabled: false });
    await server.expectRefresh(client, refresh_token);
  });

  it("gets no secret", async () => {
    const client = await makeDocumentClient();
    for (const body of [{}, { client_secret: "0123456789".repeat(4) }]) {
      const response = await server.admin(
        "POST",
        `${path(client)}/secrets`,
        body,
      );
      expect(await refusal(response)).toEqual([
        409,
        "conflict",
        "client_has_no_secret",
      ]);
    }
  });
});

it("a client of dynamic registration can be changed in these fields", async () => {
  const client = await makeRegisteredClient();
  const change = {
    client_name: "Another name",
    redirect_uris: ["https://other.example.com/callback"],
  };
  const response = await server.admin("PATCH", path(client), change);
  expect([response.status, await response.json()]).toMatchObject([200, change]);
});
