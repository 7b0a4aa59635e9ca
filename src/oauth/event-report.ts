import { type AuditEvent, type EventOrigin, isOfStrangers } from "./events.ts";
import type { RequestLog } from "./request-log.ts";
import type { EarlyServer } from "./server.ts";
import type { Webhook } from "./webhook.ts";

/** The events that are sent, and what is needed for that. */
export interface Report {
  events: AuditEvent[];
  /** Undefined: there is none, or the configuration cannot be read. */
  webhook: Webhook | undefined;
}

/** The parts of a server that events need. */
type Parts = Pick<
  EarlyServer,
  "settings" | "tokenKeySchedule" | "eventThrottle"
>;

/**
 * Writes the events of a request to the log. Only a request with events calls it, because it derives a key the first
 * time. While the configuration cannot be read, events have no hashes, and those of strangers are in the log alone.
 *
 * @returns those that are sent
 */
export async function reportEvents(
  log: RequestLog,
  origin: Omit<EventOrigin, "key">,
  findServer: () => Promise<Parts>,
): Promise<Report> {
  const server = await findServer().catch(() => undefined);
  const now = Math.floor(Date.now() / 1000);
  const key = await server?.tokenKeySchedule.makingAt(now).maker.event();
  const written = await log.writeEvents({ ...origin, key });
  const events = server
    ? written.flatMap(
        (event) => server.eventThrottle.pass(event, origin.network) ?? [],
      )
    : written.filter((event) => !isOfStrangers(event));
  return { events, webhook: server?.settings.webhook };
}
