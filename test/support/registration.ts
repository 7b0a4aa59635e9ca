import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { TestServer } from "./server.ts";

/** Acts as a client that registers itself (RFC 7591, RFC 7592). */

/** The answer to a registration. */
export interface Registered {
  client_id: string;
  client_id_issued_at: number;
  client_secret?: string;
  client_secret_expires_at?: number;
  registration_access_token: string;
  registration_client_uri: string;
  client_name?: string;
  redirect_uris: string[];
  grant_types: string[];
  response_types: string[];
  token_endpoint_auth_method: string;
  scope?: string;
}

/** The metadata of a public client, as an agent on a computer sends it. */
export const agent = {
  client_name: "Agent",
  redirect_uris: ["http://127.0.0.1:33418/callback"],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};

/** Writes the catalogue of resources, to be called before a server reads it. Left out: one that is open to such clients. */
export async function writeResources(
  catalogue: Record<string, object> = {
    "https://mcp.example.com/": { self_registered_clients: true },
  },
): Promise<void> {
  await env.KV.put("resources", JSON.stringify(catalogue));
}

/** Sends a registration with any body. */
export function postRegistration(
  to: TestServer,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return to.http("/register", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Registers a client and expects success. */
export async function register(
  to: TestServer,
  metadata: Record<string, unknown> = agent,
): Promise<Registered> {
  const response = await postRegistration(to, metadata);
  if (response.status !== 201) throw new Error(await response.text());
  return response.json<Registered>();
}

/** Sends a request about a registration, with a registration access token. */
export function manage(
  to: TestServer,
  { client_id }: { client_id: string },
  token: string | undefined,
  method: string,
  body?: unknown,
): Promise<Response> {
  return to.http(`/register/${encodeURIComponent(client_id)}`, {
    method,
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** Expects that an object has no null and no empty text, anywhere. */
export function expectNoEmptyMembers(value: object): void {
  expect(JSON.stringify(value)).not.toMatch(/null|""/);
}
