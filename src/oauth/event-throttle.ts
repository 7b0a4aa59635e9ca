import { type AuditEvent, causeOf, isOfStrangers } from "./events.ts";
import { Periods } from "./periods.ts";

/** The time in which events that are alike are sent once, in seconds. */
const PERIOD_SECONDS = 60;

/** The most logins in that time whose events from one network are sent apart. Somebody may have stolen many tokens. */
const MAX_LOGINS = 100;

/**
 * Holds back events that somebody without a credential causes, so that nobody can fill the queue or the webhook. One
 * per minute, network and reason is sent; of a fault that every request may meet, one per minute and reason. An event
 * that names a login is sent for each login, because it is an alarm about that login. An event that the holder of a login
 * can cause at will is sent once per minute, network and login. The log has each. It counts for one isolate.
 */
export class EventThrottle {
  readonly #sent = new Periods<{ heldBack: number }>(PERIOD_SECONDS);
  readonly #logins = new Periods<{ number: number }>(PERIOD_SECONDS);

  /**
   * Decides whether an event is sent.
   *
   * @param network that of the request (`networkOf`). All requests without one count together
   * @returns the event, with the number of those like it that were held back before; undefined if it is held back
   */
  pass(event: AuditEvent, network: string): AuditEvent | undefined {
    const cause = causeOf(event);
    if (!cause && !isOfStrangers(event)) return event;
    const place = cause === "fault" ? "" : siteOf(network);
    const { event: name, reason, limit, grant_id } = event;
    const kind = JSON.stringify([name, reason, limit, place]);
    const isApart = cause === "holder";
    const key = isApart ? `${kind} ${grant_id}` : this.#keyOf(kind, grant_id);
    const current = this.#sent.current(key);
    if (current) {
      current.heldBack += 1;
      return undefined;
    }
    const repeated = this.#sent.newest(key)?.heldBack ?? 0;
    this.#sent.begin(key, { heldBack: 0 });
    return repeated === 0 ? event : { ...event, repeated };
  }

  /** Returns the key under which an event of a kind is counted. */
  #keyOf(kind: string, grantId: string | undefined): string {
    if (grantId === undefined) return kind;
    const key = `${kind} ${grantId}`;
    if (this.#sent.current(key)) return key;
    const logins =
      this.#logins.current(kind) ?? this.#logins.begin(kind, { number: 0 });
    if (logins.number >= MAX_LOGINS) return kind;
    logins.number += 1;
    return key;
  }
}

/** Returns the IPv6 site (/48) of a network, because a stranger may have all of its 65,536 networks. */
function siteOf(network: string): string {
  return network.includes(":") ? network.split(":", 3).join(":") : network;
}
