import type { AuditEvent, EventOrigin } from "./events.ts";
import type { RequestLog } from "./request-log.ts";
import type { EarlyServer } from "./server.ts";
import type { Webhook } from "./webhook.ts";

/** Events that the log has, and what is needed to send them. */
export interface Report {
  events: AuditEvent[];
  /** Undefined: there is none, or the configuration cannot be read. */
  webhook: Webhook | undefined;
}

/**
 * Writes the events of a request to the log. Only a request with events calls it, because it derives a key the first
 * time. While the configuration cannot be read, events have no hashes.
 */
export async function reportEvents(
  log: RequestLog,
  origin: Omit<EventOrigin, "key">,
  findServer: () => Promise<Pick<EarlyServer, "settings" | "tokenKeySchedule">>,
): Promise<Report> {
  const server = await findServer().catch(() => undefined);
  const now = Math.floor(Date.now() / 1000);
  const key = await server?.tokenKeySchedule.makingAt(now).maker.event();
  const events = await log.writeEvents({ ...origin, key });
  return { events, webhook: server?.settings.webhook };
}
