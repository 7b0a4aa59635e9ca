import type { Seconds } from "./duration.ts";
import { logEvent } from "./events.ts";

/** A key of the configuration, as operators see it, and the key itself. */
export interface ConfiguredKey<K> {
  /** The name of the secret that holds the key. */
  secret: string;
  kid: string;
  /** Private keys only: the signing algorithm. */
  alg?: string;
  /** From this time on the key makes. Left out: it has no start time. */
  from?: Seconds;
  /** The key, ready to make tokens or to sign. Left out: it is only accepted. */
  maker?: K;
}

/** Orders keys, the newest first. Keys without a start time are older than all others, and keep their order. */
export function newestFirst<T extends { from?: Seconds }>(
  keys: readonly T[],
): T[] {
  const start = ({ from }: T) => from ?? Number.MIN_SAFE_INTEGER;
  return keys.toSorted((one, other) => start(other) - start(one));
}

/** Tells whether a key without a start time, or with one that has come, may make at a time. */
export function hasStarted(
  { from }: { from?: Seconds },
  now: Seconds,
): boolean {
  return from === undefined || from <= now;
}

type Maker<K> = ConfiguredKey<K> & { maker: K };

/** The keys of one kind. Which of them makes depends on the time, so every use names its own. */
export class KeySchedule<K> {
  /** Every key of the kind, the newest first. */
  readonly keys: readonly ConfiguredKey<K>[];
  readonly #makers: readonly Maker<K>[];
  #lastUsed: Maker<K> | undefined;
  readonly #activated = new Set<Maker<K>>();

  /** @param keys at least one of them has a `maker` */
  constructor(keys: readonly ConfiguredKey<K>[]) {
    this.keys = newestFirst(keys);
    this.#makers = this.keys.filter(
      (key): key is Maker<K> => key.maker !== undefined,
    );
  }

  /** Returns the key that makes at a time, for a caller that makes something with it. */
  use(now: Seconds): K {
    const key = this.makingAt(now);
    if (key !== this.#lastUsed) this.#noteUse(key);
    return key.maker;
  }

  /** Returns the key that makes at a time: of those that have started, the one with the latest start. */
  makingAt(now: Seconds): Maker<K> {
    for (const key of this.#makers) if (hasStarted(key, now)) return key;
    // The clock is behind that of the start of the isolate, where at least one had started.
    return this.#makers.at(-1)!;
  }

  /** Returns the keys that make at a time or later. */
  makingFrom(now: Seconds): K[] {
    const newest = this.#makers.indexOf(this.makingAt(now));
    return this.#makers.slice(0, newest + 1).map(({ maker }) => maker);
  }

  /** Logs, once per isolate, that a key has started to make. */
  #noteUse(key: Maker<K>): void {
    this.#lastUsed = key;
    const { secret, kid, from } = key;
    if (from === undefined || this.#activated.has(key)) return;
    this.#activated.add(key);
    logEvent("key.activated", { secret, kid, from });
  }
}
