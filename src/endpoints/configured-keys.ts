import { REQUEST_SECONDS } from "../oauth/jwt-lifetimes.ts";
import { after, type Seconds } from "../oauth/duration.ts";
import {
  type ConfiguredKey,
  hasStarted,
  type KeySchedule,
} from "../oauth/key-schedule.ts";
import type { Lifetimes } from "../oauth/lifetimes.ts";
import type { Server } from "../oauth/server.ts";

/** The lifetimes of tokens that are in use, in ISO 8601: those of the configuration, of clients and of resources. */
export interface LifetimesInUse {
  access: ReadonlySet<string>;
  refresh: ReadonlySet<string>;
}

/** A key as `/health` shows it to administrators. Nothing of it is secret. */
interface ShownKey {
  /** The name of its secret. */
  secret: string;
  kind: "encryption" | "private";
  kid: string;
  /** Private keys only. */
  alg?: string;
  /** The time from which it makes tokens or signs. Left out: it has no start time. */
  from?: Seconds;
  /** It makes tokens or signs, its start time has not come, or it is only accepted. */
  state: "making" | "pending" | "accepted";
  /**
   * The time when the last token of an accepted key has expired. Left out: it is not known when another key took its
   * place, or which lifetimes are in use.
   */
  needed_until?: Seconds;
  /** How long the longest-lived of what a making key makes now is good. Left out: as above. */
  longest_life?: Seconds;
}

/** Collects the lifetimes in use. A client or a resource without one of its own has that of the configuration. */
export function lifetimesInUse(
  defaults: Lifetimes,
  others: readonly { [Name in keyof Lifetimes]?: string | undefined }[],
): LifetimesInUse {
  const all = [defaults, ...others];
  const given = (ttl: string | undefined) => ttl ?? [];
  return {
    access: new Set(all.flatMap((of) => given(of.access_token_ttl))),
    refresh: new Set(all.flatMap((of) => given(of.refresh_token_ttl))),
  };
}

/** Shows every key of a server, and what it does at a time. */
export function configuredKeys(
  { tokenKeySchedule, signingKeys }: Server,
  inUse: LifetimesInUse | undefined,
  now: Seconds,
): ShownKey[] {
  return [
    ...shown("encryption", tokenKeySchedule, inUse?.refresh, now),
    ...shown("private", signingKeys, inUse?.access, now),
  ];
}

function shown<K>(
  kind: ShownKey["kind"],
  schedule: KeySchedule<K>,
  ttls: ReadonlySet<string> | undefined,
  now: Seconds,
): ShownKey[] {
  const making = schedule.makingAt(now);
  return schedule.keys.map((key, position) => {
    const { maker: _maker, ...rest } = key;
    if (key === making)
      return {
        ...rest,
        kind,
        state: "making",
        ...(ttls && { longest_life: lastExpiry(ttls, now) - now }),
      };
    if (!hasStarted(key, now)) return { ...rest, kind, state: "pending" };
    const replacedAt = successorStart(schedule.keys.slice(0, position), now);
    return {
      ...rest,
      kind,
      state: "accepted",
      ...(replacedAt !== undefined &&
        ttls && { needed_until: lastExpiry(ttls, replacedAt) }),
    };
  });
}

/** Returns when the first key that came after a key started to make. @param newer the keys that are newer */
function successorStart<K>(
  newer: readonly ConfiguredKey<K>[],
  now: Seconds,
): Seconds | undefined {
  return newer.findLast((key) => key.from !== undefined && hasStarted(key, now))
    ?.from;
}

/** Returns the last expiry of what is made until a time: tokens, and authorization requests and codes. */
function lastExpiry(ttls: ReadonlySet<string>, madeUntil: Seconds): Seconds {
  const expiries = [...ttls].map((ttl) => after(ttl, madeUntil));
  return Math.max(...expiries, madeUntil + REQUEST_SECONDS);
}
