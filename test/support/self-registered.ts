import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { DOCUMENTS_ON } from "./agent-site.ts";
import { REDIRECT_URI } from "./authorization.ts";
import { rewriteClient } from "./records.ts";
import { serverWith } from "./server.ts";

/** Makes clients that have registered themselves, as records in KV. */

/** The one resource that such a client may ask for. */
export const RESOURCE = "https://mcp.example.com/notes";

/** The server to which the clients of documents send a browser. */
export const withDocuments = serverWith(DOCUMENTS_ON);

/**
 * Makes a client with a metadata document at a URL of its own. It has signed somebody in before, so its record is stored.
 * Its site is down, so the record counts.
 */
export function makeDocumentClient(
  fields: Record<string, unknown> = {},
  host = "agent.example.com",
): Promise<{ client_id: string }> {
  const down = new TypeError("connection refused");
  vi.spyOn(globalThis, "fetch").mockRejectedValue(down);
  const client_id = `https://${host}/${crypto.randomUUID()}`;
  const registered_by = "metadata_document";
  return store({ client_id, client_id_issued_at: 0, registered_by, ...fields });
}

/** Makes a client of dynamic registration. */
export function makeRegisteredClient(
  fields: Record<string, unknown> = {},
): Promise<{ client_id: string }> {
  const client_id = crypto.randomUUID();
  const client_id_issued_at = Math.floor(Date.now() / 1000) - 3600;
  const registered_by = "dynamic_registration";
  return store({ client_id, client_id_issued_at, registered_by, ...fields });
}

async function store(
  record: { client_id: string } & Record<string, unknown>,
): Promise<{ client_id: string }> {
  const { client_id } = record;
  await rewriteClient(record, {
    client_name: "An agent",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    scope: "read write",
    redirect_uris: [REDIRECT_URI],
    resources: [RESOURCE],
    refresh_token_retry_window: "PT1M",
    secrets: [],
    ...record,
  });
  return { client_id };
}

/** Gives the catalogue of resources in KV. */
export function writeResources(
  catalogue: Record<string, object>,
): Promise<void> {
  return env.KV.put("resources", JSON.stringify(catalogue));
}
