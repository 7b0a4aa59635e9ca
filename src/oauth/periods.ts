/** The most keys that an isolate keeps, of a few hundred bytes each. */
const MAX_KEYS = 10_000;

/** The end of a record's period, in milliseconds since 1970. */
interface Period {
  endsAt: number;
}

/** Keeps a record for each key until its period ends. Above a bound the oldest record is dropped. */
export class Periods<T extends object> {
  readonly #seconds: number;
  readonly #records = new Map<string, T & Period>();

  /** @param seconds the length of a period */
  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  /** Returns the record of the period that runs. Undefined: none runs. */
  current(key: string): (T & Period) | undefined {
    const record = this.#records.get(key);
    return record && Date.now() < record.endsAt ? record : undefined;
  }

  /** Returns the newest record, also of a period that has ended. Undefined: there was none, or it was dropped. */
  newest(key: string): T | undefined {
    return this.#records.get(key);
  }

  /** Drops a record before its period ends. */
  end(key: string): void {
    this.#records.delete(key);
  }

  /** Begins a period with a record. */
  begin(key: string, fresh: T): T & Period {
    const record = { ...fresh, endsAt: Date.now() + this.#seconds * 1000 };
    this.#records.delete(key);
    this.#records.set(key, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > MAX_KEYS && oldest !== undefined)
      this.#records.delete(oldest);
    return record;
  }
}
