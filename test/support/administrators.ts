import { type TestServer, server as sharedServer } from "./server.ts";

/** An admin token in the answer that makes it. */
export interface AdminToken {
  name: string;
  role: string;
  id: string;
  created_at: number;
  created_by?: string;
  expires_at?: number;
  token: string;
}

/** Makes an admin token with a new name. */
export function makeToken(
  role: string,
  more: Record<string, unknown> = {},
): Promise<AdminToken> {
  const name = `t-${crypto.randomUUID()}`;
  return sharedServer.expectAdmin("POST", "/tokens", { name, role, ...more });
}

/** Calls the admin API with any credentials. */
export function ask(
  server: TestServer,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<Response> {
  return server.http(`/admin${path}`, {
    method,
    headers: {
      ...headers,
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** Calls the admin API with an admin token. */
export function askWith(
  server: TestServer,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}` };
  return ask(server, method, path, headers, body);
}
