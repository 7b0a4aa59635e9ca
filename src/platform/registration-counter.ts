import { DurableObject } from "cloudflare:workers";

const DAY_MS = 24 * 60 * 60 * 1000;

const TODAY = "today";

/** The registrations of one day. */
interface Today {
  /** The number of the day since 1970, in UTC. */
  day: number;
  count: number;
}

/**
 * Counts the registrations of a day (UTC), so that strangers cannot fill the storage. There is one object, because KV
 * could be asked by two locations at the same time. It keeps one row, and nothing after the day.
 */
export class RegistrationCounter extends DurableObject<Env> {
  /**
   * Takes one registration of today, if one is left. A call that is repeated, because its answer was lost, takes another
   * one, which does no harm.
   *
   * @returns the seconds until the next day, if no registration is left
   */
  async take(perDay: number): Promise<{ retry_after?: number }> {
    const now = Date.now();
    const day = Math.floor(now / DAY_MS);
    const endsAt = (day + 1) * DAY_MS;
    const today = this.#today();
    const count = today?.day === day ? today.count : 0;
    if (count >= perDay)
      return { retry_after: Math.ceil((endsAt - now) / 1000) };
    this.ctx.storage.kv.put<Today>(TODAY, { day, count: count + 1 });
    if (count === 0) await this.ctx.storage.setAlarm(endsAt);
    return {};
  }

  /** Returns the number of today's registrations. It writes nothing. */
  async count(): Promise<number> {
    const today = this.#today();
    return today?.day === Math.floor(Date.now() / DAY_MS) ? today.count : 0;
  }

  /** Deletes everything, because the day is over. */
  override async alarm(): Promise<void> {
    const { day = 0 } = this.#today() ?? {};
    const endsAt = (day + 1) * DAY_MS;
    if (Date.now() < endsAt) await this.ctx.storage.setAlarm(endsAt);
    else await this.ctx.storage.deleteAll();
  }

  #today(): Today | undefined {
    return this.ctx.storage.kv.get<Today>(TODAY);
  }
}
