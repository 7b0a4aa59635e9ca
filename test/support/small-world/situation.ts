import { judgeExchange } from "../../../src/oauth/family/exchange.ts";
import {
  type FamilyRecord,
  isEnded,
  type LivingFamily,
  newRecord,
  type Verdict,
} from "../../../src/oauth/family/record.ts";
import type {
  ExchangeAttempt,
  ExchangeResult,
} from "../../../src/oauth/repositories.ts";
import { familyBuilders } from "../family.ts";

/** A family at one moment of a small world, and the verdicts of the real rules on every request at that moment. */

/** The clock of the family's world always shows this time. Time passes by making the family older. */
export const NOW = 1_800_000_000;

/** The times of the world, in seconds. */
export const WINDOW = 2;
export const CATCH_UP = 4;
export const TTL = 6;

export type Proof = "none" | "holder's" | "thief's";
export const proofs: readonly Proof[] = ["none", "holder's", "thief's"];
const keys = { "holder's": { jkt: "holder" }, "thief's": { jkt: "thief" } };

/** One kind of world. */
export interface Setting {
  name: string;
  /** The family is bound to the holder's key from its first token on. */
  isBound: boolean;
  /** The proofs that the holder may send. Several: one of its processes is of an older version. */
  holder: readonly Proof[];
  /** The proofs that the thief may send. Empty: the client authenticates by a key, which the thief does not have. */
  thief: readonly Proof[];
  /** The thief has recorded a request of the holder's a moment ago, and sends its proof beside any token. */
  hasRecorded?: boolean;
  hasWindow: boolean;
  hasCatchUp: boolean;
  /** The most generations of the family. */
  generations: number;
}

/** A request as the family sees it. */
export interface Sent {
  generation: number;
  proof: Proof;
  /** The clock of the request's location, compared with that of the world, in seconds. */
  clock: number;
  /** The edge sends an attempt again, because it got no answer. */
  isRepeat: boolean;
}

/** The rules under test. */
export type Judge = (
  record: FamilyRecord,
  attempt: ExchangeAttempt,
) => Verdict<ExchangeResult>;

export interface Judged {
  result: ExchangeResult;
  /** The family after the request, without the time that has passed. Undefined: it has ended. */
  after: LivingFamily | undefined;
  isWritten: boolean;
}

export class Situation {
  readonly family: LivingFamily;
  readonly id: number;
  readonly #world: World;
  readonly #verdicts = new Map<number, Judged>();
  #later: Situation | undefined;
  #done: Situation | undefined;

  constructor(family: LivingFamily, id: number, world: World) {
    this.family = family;
    this.id = id;
    this.#world = world;
  }

  /** Judges a request. */
  judge(sent: Sent): Judged {
    const { generation, proof, clock, isRepeat } = sent;
    const key =
      ((generation * 3 + proofs.indexOf(proof)) * 16 - clock) * 2 +
      Number(isRepeat);
    const known = this.#verdicts.get(key);
    if (known) return known;
    const { judge, setting } = this.#world;
    const { result, record } = judge(this.family, attemptOf(sent, setting));
    this.#world.judged += 1;
    const after = record ?? this.family;
    const judged = {
      result,
      after: isEnded(after) ? undefined : after,
      isWritten: record !== undefined,
    };
    this.#verdicts.set(key, judged);
    return judged;
  }

  /** The same family after a request. */
  at(family: LivingFamily): Situation {
    return family === this.family ? this : this.#world.at(family);
  }

  /** A second later. */
  get later(): Situation {
    const { last_used_at, expires_at } = this.family;
    this.#later ??= this.#world.at({
      ...this.family,
      last_used_at: last_used_at - 1,
      expires_at: expires_at - 1,
    });
    return this.#later;
  }

  /** The edge may repeat the attempt that has made the newest token. */
  get pending(): Situation {
    return this.#world.at({ ...this.family, last_attempt: "pending" });
  }

  /** The edge repeats no attempt any more. */
  get done(): Situation {
    if (this.family.last_attempt === undefined) return this;
    this.#done ??= this.#world.at({ ...this.family, last_attempt: "done" });
    return this.#done;
  }
}

/** The situations of a world, each once. */
export class World {
  readonly setting: Setting;
  readonly judge: Judge;
  judged = 0;
  readonly #situations = new Map<string, Situation>();

  constructor(setting: Setting, judge: Judge = judgeExchange) {
    this.setting = setting;
    this.judge = judge;
  }

  /** The family before its first exchange. */
  get first(): Situation {
    const login = this.setting.isBound ? { cnf: keys["holder's"] } : {};
    const expires_at = NOW + TTL;
    return this.at(newRecord(builders.newFamily({ expires_at, login })));
  }

  at(family: LivingFamily): Situation {
    const { generation, bound_since, login, last_attempt } = family;
    const key = [
      generation,
      bound_since,
      login.cnf?.jkt,
      NOW - family.last_used_at,
      family.expires_at - NOW,
      last_attempt,
    ].join();
    const known = this.#situations.get(key);
    if (known) return known;
    const situation = new Situation(family, this.#situations.size, this);
    this.#situations.set(key, situation);
    return situation;
  }

  get situations(): Iterable<Situation> {
    return this.#situations.values();
  }
}

const builders = familyBuilders(NOW);
const anyAttempt = builders.attempt();

/** Makes the attempt of a request. */
export function attemptOf(
  { generation, proof, clock, isRepeat }: Sent,
  { hasWindow, hasCatchUp, thief }: Setting,
): ExchangeAttempt {
  const now = NOW + clock;
  const isPublic = thief.length > 0;
  const bound = hasCatchUp ? `PT${CATCH_UP}S` : "PT0S";
  return {
    ...anyAttempt,
    attempt_id: isRepeat ? "pending" : "new",
    generation,
    now,
    successor_expires_at: now + TTL,
    retry_window: hasWindow ? `PT${WINDOW}S` : "PT0S",
    catch_up: { bound, unbound: isPublic ? "PT0S" : bound },
    ...(proof !== "none" && {
      proven: keys[proof],
      ...(isPublic && { binds: keys[proof] }),
    }),
  };
}

/** Tells whose key a family is bound to. */
export function keyHolder({ login }: LivingFamily): Proof {
  const jkt = login.cnf?.jkt;
  return (
    proofs.find((one) => one !== "none" && keys[one].jkt === jkt) ?? "none"
  );
}

/** Tells whether a token is bound to the family's key. */
export function isBoundToken(
  family: LivingFamily,
  generation: number,
): boolean {
  return (
    keyHolder(family) !== "none" && generation >= (family.bound_since ?? 1)
  );
}
