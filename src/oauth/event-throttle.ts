import { type AuditEvent, isOfStrangers } from "./events.ts";
import { Periods } from "./periods.ts";

/** The time in which an event of strangers is sent once, in seconds. */
const PERIOD_SECONDS = 60;

/**
 * Holds back events that somebody without a credential causes, so that nobody can fill the queue or the webhook. One
 * per minute, network and reason is sent; the log has each. It counts for one isolate.
 */
export class EventThrottle {
  readonly #sent = new Periods<{ heldBack: number }>(PERIOD_SECONDS);

  /**
   * Decides whether an event is sent.
   *
   * @param network that of the request (`networkOf`). All requests without one count together
   * @returns the event, with the number of those like it that were held back before; undefined if it is held back
   */
  pass(event: AuditEvent, network: string): AuditEvent | undefined {
    if (!isOfStrangers(event)) return event;
    // A stranger may have all 65,536 networks of an IPv6 site (/48).
    const place = network.includes(":")
      ? network.split(":", 3).join(":")
      : network;
    const { event: name, reason, limit } = event;
    const key = JSON.stringify([name, reason, limit, place]);
    const current = this.#sent.current(key);
    if (current) {
      current.heldBack += 1;
      return undefined;
    }
    const repeated = this.#sent.newest(key)?.heldBack ?? 0;
    this.#sent.begin(key, { heldBack: 0 });
    return repeated === 0 ? event : { ...event, repeated };
  }
}
