import { refusal, server } from "./server.ts";

/** Sends requests with HTTP Basic, and names their answers. */

/** The client was authenticated: the request is refused for its refresh token only. */
export const authenticated = [400, "invalid_grant", "refresh_token_malformed"];
export const unknown = [401, "invalid_client", "client_unknown"];
export const wrongSecret = [401, "invalid_client", "client_secret_wrong"];
export const wrongMethod = [
  401,
  "invalid_client",
  "client_authentication_method_wrong",
];
export const limited = [
  429,
  "temporarily_unavailable",
  "client_secrets_limited",
];

/** Basic as `curl -u id:secret` sends it: not form-encoded. */
export function raw(id: string, secret: string): string {
  const bytes = new TextEncoder().encode(`${id}:${secret}`);
  return `Basic ${bytes.toBase64()}`;
}

export function attempt(
  Authorization: string,
  more: Record<string, string> = {},
  { to = server, address = "" } = {},
): Promise<Response> {
  const form = { grant_type: "refresh_token", refresh_token: "none", ...more };
  const network = address === "" ? {} : { "CF-Connecting-IP": address };
  return to.token(form, { Authorization, ...network });
}

export async function answer(...args: Parameters<typeof attempt>) {
  return refusal(await attempt(...args));
}
