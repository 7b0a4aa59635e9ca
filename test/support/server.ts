import { env, exports } from "cloudflare:workers";

/** The server under test, by its public door: HTTP. */

export const ISSUER = "https://auth.example.com";

export function http(path: string, init?: RequestInit): Promise<Response> {
  return exports.default.fetch(new Request(ISSUER + path, init));
}

/** A call of the admin API, with a JSON body. */
export function admin(
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  return http(`/admin${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${env.ADMIN_TOKEN}`,
      ...(body !== undefined && { "Content-Type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}
