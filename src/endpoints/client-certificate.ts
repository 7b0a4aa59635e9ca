import type { Context } from "hono";
import type { ClientCertificate } from "../oauth/clients/certificate.ts";
import type { EarlyServer } from "../oauth/server.ts";
import type { AppEnv } from "./endpoint.ts";

/**
 * Returns the client certificate of a request. Undefined: it has none, or CLIENT_CERTIFICATES is off. The platform alone
 * tells of it, in `request.cf`. No header is read, because anybody may send one.
 */
export async function clientCertificate(
  c: Context<AppEnv>,
  { settings }: EarlyServer,
): Promise<ClientCertificate | undefined> {
  if (!settings.client_certificates) return undefined;
  const { readCertificate } = await import("./tls-client-auth.ts");
  return readCertificate(c.req.raw.cf?.tlsClientAuth);
}
