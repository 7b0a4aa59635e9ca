import type { Endpoint } from "../endpoints/endpoint.ts";

const PATH = "/dev/client.json";

/**
 * A metadata document to try with: an agent on this machine may take its URL as client_id, and any port of a loopback
 * address for its redirect URI (docs/agents.md). It is there for an issuer with plain http only, as the sign-in page is.
 */
export const clientDocument: Endpoint = {
  path: PATH,
  method: "GET",
  cors: false,

  isOn: ({ issuer, metadata_documents }) =>
    metadata_documents !== undefined && issuer.startsWith("http:"),

  async respond(c) {
    const { settings } = await c.var.server();
    return c.json({
      client_id: settings.issuer + PATH,
      client_name: "Development client",
      redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    });
  },
};
