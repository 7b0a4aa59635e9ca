import type { Context } from "hono";
import type { ClientCertificate } from "../oauth/clients/certificate.ts";
import type { EarlyServer } from "../oauth/server.ts";
import type { AppEnv } from "./endpoint.ts";

/**
 * Returns the client certificate of a request. Undefined: it has none. Undefined and no promise: CLIENT_CERTIFICATES is
 * off, and no request waits for anything. The platform alone tells of it, in `request.cf`. No header is read, because anybody may send one.
 */
export function clientCertificate(
  c: Context<AppEnv>,
  { settings }: EarlyServer,
): Promise<ClientCertificate | undefined> | undefined {
  return settings.client_certificates ? read(c) : undefined;
}

async function read(
  c: Context<AppEnv>,
): Promise<ClientCertificate | undefined> {
  const { readCertificate } = await import("./tls-client-auth.ts");
  return readCertificate(c.req.raw.cf?.tlsClientAuth);
}
