import * as fc from "fast-check";
import type { LoginClaimChanges } from "../../src/oauth/login-claims.ts";
import type {
  ClaimsResult,
  ExchangeAttempt,
  ExchangeResult,
  FamilyKey,
  NewFamily,
  Redemption,
  RedemptionResult,
  RevocationResult,
  SeenAssertion,
} from "../../src/oauth/repositories.ts";
import { DAY, familyBuilders } from "./family.ts";

/**
 * A small model of a family. Random histories are played on the model and on the real rules, and the answers
 * must be the same. The model keeps a list of all issued tokens, where a family keeps one number. fast-check
 * prints the seed and the shortest history of a disagreement.
 */

/** Later than the clock of any machine that runs these tests, so that no alarm fires during a history. */
const T0 = 4_000_000_000;
const { attempt, newFamily: plainFamily, redemption } = familyBuilders(T0);
/** A family that named no resource, whose client could ask for one. `key`: it is bound to this key. */
const newFamily = (key?: string) =>
  plainFamily({
    login: { choosable_resources: ["a"], ...(key && { cnf: { jkt: key } }) },
  });
const granted = newFamily().login.scope;

/** The family under test: the rules alone, or the Durable Object that uses them. */
export interface Family {
  create(family: NewFamily): Promise<void> | void;
  /** @param nowMs the time of the family's object, in milliseconds since 1970 */
  redeem(
    family: NewFamily,
    redemption: Redemption,
    nowMs: number,
  ): Promise<RedemptionResult> | RedemptionResult;
  abandon(family: NewFamily, redemption: Redemption): Promise<void> | void;
  adopt(
    family: NewFamily,
    redemption: Redemption,
    attempt: ExchangeAttempt,
  ): Promise<ExchangeResult> | ExchangeResult;
  exchange(attempt: ExchangeAttempt): Promise<ExchangeResult> | ExchangeResult;
  revoke(key: FamilyKey): Promise<RevocationResult> | RevocationResult;
  changeClaims(
    changes: LoginClaimChanges,
    now: number,
  ): Promise<ClaimsResult> | ClaimsResult;
}

interface ExchangeStep {
  do: "exchange";
  /** The position of the presented token among those issued so far, counted from the newest. */
  back: number;
  scope: ExchangeAttempt["requested"]["scope"];
  allowed: string[];
  resource: string[];
  client: string;
  window: number;
  forged: boolean;
  /** The client's longest life of a family, in hours. */
  maxAge: number;
  /** The client's `tokens_not_before`, in seconds after the family was authorized. */
  floor: number | undefined;
  /** The key that the request proves. */
  key: string | undefined;
  isPublic: boolean;
  /** How late a holder may be, in seconds. */
  catchUp: { bound: number; unbound: number };
  /** The assertion of a client with `private_key_jwt`: its name, and how many seconds ago it was made, if it says so. */
  assertion: { name: number; age: number | undefined };
}

type Step =
  | ExchangeStep
  /** The same attempt again, because its answer was lost on the way to the edge. */
  | { do: "repeat" }
  | { do: "wait"; seconds: number }
  | { do: "revoke"; client: string }
  /** The login or an administrator changes the claims, or removes them. */
  | { do: "claims"; claims: { n: number } | null }
  /**
   * `same`: the previous attempt again, because its answer was lost. `ms`: the part of a second at which it
   * arrives, in milliseconds.
   */
  | { do: "redeem"; code: string; same: boolean; ms: number; proof?: string }
  /** A league token is exchanged: it is the first token of its family. */
  | {
      do: "adopt";
      scope: ExchangeStep["scope"];
      window: number;
      floor: boolean;
      same: boolean;
    }
  /** A fault takes back an attempt's beginning of the family. `back` counts attempts from the newest. */
  | { do: "abandon"; back: number };

export interface History {
  begins: "create" | "redeem" | "adopt" | "mixed";
  /** The key that the family is bound to from its first token on. A league token's is bound to none. */
  key?: string | undefined;
  /** The client has a key of its own (`private_key_jwt`). It sends no proofs, and may be late. */
  isByKey?: boolean;
  steps: Step[];
}

const scope = fc.constantFrom<ExchangeStep["scope"]>(
  undefined,
  undefined,
  ["read"],
  ["read", "write"],
  ["write", "read"],
  ["admin"],
  "malformed",
);

/** Mostly `usual`, sometimes one of the others. */
function mostly<T>(weight: number, usual: T, ...others: T[]) {
  return fc.oneof(
    { weight, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
}

const exchange = fc.record({
  do: fc.constant("exchange" as const),
  back: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.constant(1) },
    { weight: 2, arbitrary: fc.integer({ min: -1, max: 4 }) },
  ),
  scope,
  allowed: mostly(16, granted, ["read"], []),
  resource: mostly(
    8,
    [],
    ["https://a"],
    ["HTTPS://A:443/", "https://a"],
    ["https://a/x"],
    ["https://b"],
    ["https://later"],
  ),
  client: mostly(12, "web", "other"),
  window: fc.constantFrom(0, 30, 30),
  forged: mostly(15, false, true),
  maxAge: mostly(5, 9_000, 36, 12, 1),
  floor: mostly<number | undefined>(20, undefined, -1, 0, 1),
  key: mostly<string | undefined>(4, "holder", undefined, "thief"),
  isPublic: mostly(3, true, false),
  catchUp: mostly(
    1,
    { bound: DAY, unbound: 0 },
    { bound: 0, unbound: 0 },
    { bound: 60, unbound: 0 },
    { bound: 60, unbound: 60 },
  ),
  assertion: fc.record({
    name: fc.nat({ max: 9 }),
    age: mostly<number | undefined>(4, 0, undefined, 5, 60, 61, 300, 301, -54),
  }),
});

const common = [
  { weight: 8, arbitrary: exchange },
  { weight: 2, arbitrary: fc.constant({ do: "repeat" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      seconds: fc.constantFrom(1, 9, 10, 11, 29, 30, 31, DAY / 2, DAY - 1, DAY),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("revoke" as const),
      client: fc.constantFrom("web", "other"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("claims" as const),
      claims: fc.constantFrom({ n: 1 }, { n: 2 }, { n: 3 }, null),
    }),
  },
];

const redeem = fc.record({
  do: fc.constant("redeem" as const),
  code: mostly(2, "first", "second"),
  same: fc.boolean(),
  ms: fc.constantFrom(0, 0, 1, 999),
  proof: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
});

const adopt = fc.record({
  do: fc.constant("adopt" as const),
  scope: mostly<ExchangeStep["scope"]>(3, undefined, ["read"], ["admin"]),
  window: fc.constantFrom(0, 30),
  floor: mostly(12, false, true),
  same: mostly(3, false, true),
});

const abandon = fc.record({
  do: fc.constant("abandon" as const),
  back: fc.nat({ max: 2 }),
});

/** The steps after the first one, by how the family begins. */
const laterSteps = {
  create: fc.oneof(...common),
  redeem: fc.oneof(
    ...common,
    { weight: 3, arbitrary: redeem },
    { weight: 3, arbitrary: abandon },
  ),
  adopt: fc.oneof(
    ...common,
    { weight: 5, arbitrary: adopt },
    { weight: 3, arbitrary: abandon },
  ),
  // No caller does this. Nevertheless no generation may be rolled back by it.
  mixed: fc.oneof(
    ...common,
    { weight: 3, arbitrary: redeem },
    { weight: 5, arbitrary: adopt },
    { weight: 3, arbitrary: abandon },
  ),
};

const firstStep: Record<History["begins"], Step[]> = {
  create: [],
  redeem: [{ do: "redeem", code: "first", same: false, ms: 0, proof: "a" }],
  adopt: [
    { do: "adopt", scope: undefined, window: 30, floor: false, same: false },
  ],
  mixed: [{ do: "redeem", code: "first", same: false, ms: 0 }],
};

export const histories: fc.Arbitrary<History> = fc
  .constantFrom(
    "create" as const,
    "redeem" as const,
    "adopt" as const,
    "mixed" as const,
  )
  .chain((begins) =>
    fc.record({
      begins: fc.constant(begins),
      by: fc.constantFrom<Pick<History, "key" | "isByKey">>(
        { key: "holder" },
        {},
        { isByKey: true },
      ),
      steps: fc
        .array<Step>(laterSteps[begins], { minLength: 1, maxLength: 25 })
        .map((steps) => [...firstStep[begins], ...steps]),
    }),
  )
  .map(({ by, ...history }) => ({ ...history, ...by }));

/** An issued token, as its holder knows it. */
interface IssuedToken {
  expires_at: number;
  /** The time at which it was exchanged for its successor, and the attempt. */
  used?: { at: number; attempt: string };
}

/** The model: what RFC 6749, RFC 9700 and the decisions in docs/architecture.md say, in simple code. */
class Model {
  state: "unmade" | "living" | "taken back" | "ended" = "unmade";
  issued: IssuedToken[] = [];
  /** The code that made the family, and the attempts that share its beginning. */
  code: string | undefined;
  firstAttempt: string | undefined;
  /** The time at which the code was redeemed, in milliseconds. A league token has none. */
  redeemedAtMs = -Infinity;
  sharingAttempts: string[] = [];
  tooManyAttempts = false;
  /** Attempts that were taken back: their calls may still arrive. */
  withdrawn: string[] = [];
  /** When the user authorized the family; 0 if a league token made it. */
  authorized = 0;
  ends = 0;
  /** What the login says of the user. No exchange changes it. */
  claims: { n: number } | undefined;
  /** The key that the tokens are bound to, and the generation of the first that is. */
  key: string | undefined;
  boundSince = 1;
  /** The proof with which the code was redeemed. */
  proof: string | undefined;
  /** The assertions of all exchanges, in their order. One that comes again with the same time is the newest. */
  assertions: SeenAssertion[] = [];

  begin(key?: string, code?: string, attempt?: string) {
    this.key = key;
    this.boundSince = 1;
    this.proof = undefined;
    this.assertions = [];
    this.state = "living";
    this.issued = [{ expires_at: T0 + DAY }];
    this.authorized = code === "old" ? 0 : T0;
    this.ends = T0 + 3 * DAY;
    this.claims = undefined;
    this.code = code;
    this.firstAttempt = attempt;
    this.redeemedAtMs = -Infinity;
    this.sharingAttempts = attempt === undefined ? [] : [attempt];
    this.tooManyAttempts = false;
  }

  redeem(
    code: string,
    attempt: string,
    nowMs: number,
    { key, proof }: { key: string | undefined; proof: string | undefined },
  ): string {
    if (this.state !== "ended" && this.withdrawn.includes(attempt))
      return "authorization_code_revoked";
    if (canBegin(this)) {
      this.begin(key, code, attempt);
      this.redeemedAtMs = nowMs;
      this.proof = proof;
      return "redeemed";
    }
    if (this.state === "living" && attempt === this.firstAttempt)
      return "redeemed";
    if (code !== this.code) return "authorization_request_reused";
    const isSameProof = proof !== undefined && proof === this.proof;
    const isAtOnce = nowMs - this.redeemedAtMs <= 10_000;
    if (this.state === "living" && (isAtOnce || isSameProof))
      return "authorization_code_repeated";
    this.state = "ended";
    return "authorization_code_reused";
  }

  abandon(code: string, attempt: string): void {
    if (this.state === "ended" || (this.state === "living" && !this.code))
      return;
    if (this.state === "unmade") {
      this.begin(undefined, code, attempt);
      this.state = "taken back";
    }
    const others = this.withdrawn.filter((one) => one !== attempt);
    this.withdrawn = [...others, attempt].slice(-8);
    const isShared = this.sharingAttempts.includes(attempt);
    this.sharingAttempts = this.sharingAttempts.filter(
      (one) => one !== attempt,
    );
    const isLast = isShared && this.sharingAttempts.length === 0;
    if (isLast && !this.tooManyAttempts) this.state = "taken back";
  }

  adopt(code: string, attempt: ExchangeAttempt, window: number) {
    if (this.state !== "ended" && this.withdrawn.includes(attempt.attempt_id))
      return "family_ended";
    const before = Object.assign(new Model(), this);
    if (canBegin(this)) this.begin(undefined, code, attempt.attempt_id);
    const answer = this.exchange(attempt, window);
    if (typeof answer !== "string") {
      const isNew = !this.sharingAttempts.includes(attempt.attempt_id);
      if (isNew && this.sharingAttempts.length < 8 && !this.tooManyAttempts)
        this.sharingAttempts.push(attempt.attempt_id);
      else if (isNew) this.tooManyAttempts = true;
    } else if (canBegin(before)) {
      // A refused exchange does not begin a family.
      Object.assign(this, before);
    }
    return answer;
  }

  exchange(attempt: ExchangeAttempt, window: number) {
    const { generation, now } = attempt;
    const newest = this.issued.at(-1);
    if (this.state !== "living" || !newest || now >= newest.expires_at)
      return "family_ended";
    if (attempt.secret_hash[0] !== 7) return "refresh_token_forged";
    if (attempt.client_id !== "web") return "refresh_token_of_another_client";
    const token = this.issued[generation - 1];
    if (!token) return "refresh_token_forged";
    const key = attempt.proven?.jkt;
    const isHolder = key === this.key;
    if (this.key && generation >= this.boundSince && !isHolder)
      return key
        ? "refresh_token_of_another_key"
        : "refresh_token_proof_missing";

    if (this.authorized <= (attempt.tokens_not_before ?? -1)) {
      this.state = "ended";
      return "client_logins_ended";
    }
    const ends = Math.min(this.ends, T0 + maxAgeOf(attempt) * 3600);
    if (now >= ends) {
      this.state = "ended";
      return "family_too_old";
    }

    if (token.used) {
      const isSuccessorUnused = this.issued.length === generation + 1;
      const isSameAttempt = token.used.attempt === attempt.attempt_id;
      const mayRetry = isHolder || !this.key;
      const isInWindow = mayRetry && now < token.used.at + window;
      const isRetry = isSuccessorUnused && (isSameAttempt || isInWindow);
      const mayBeLate = this.mayBeLate(attempt);
      const isRecorded = this.isRecorded(attempt);
      if (!isRetry && (this.remembers(attempt) || (mayBeLate && isRecorded)))
        return "client_assertion_recorded";
      if (!isRetry && !mayBeLate) {
        this.state = "ended";
        return "refresh_token_reused";
      }
      // The successor is the one that exists, whatever the retry asks for.
      return fault(attempt) ?? this.answer(attempt, isRetry ? "retry" : "late");
    }
    const wrong = fault(attempt);
    if (wrong !== undefined) return wrong;
    token.used = { at: now, attempt: attempt.attempt_id };
    const { assertion } = attempt;
    if (assertion) {
      const others = this.assertions.filter(
        ({ digest, iat }) =>
          digest !== assertion.digest || iat !== assertion.iat,
      );
      this.assertions = [...others, assertion];
    }
    this.ends = ends;
    this.issued.push({
      expires_at: Math.min(attempt.successor_expires_at, ends),
    });
    if (key && attempt.binds && !this.key) {
      this.key = key;
      this.boundSince = this.issued.length;
    }
    return this.answer(attempt, "new");
  }

  /** Tells whether the holder of a used token may have the newest one. The newest exchange was that of the last used token. */
  mayBeLate({ proven, catch_up, now }: ExchangeAttempt): boolean {
    const isLate = this.key ? catch_up?.bound : catch_up?.unbound;
    const at = this.issued.at(-2)?.used?.at ?? Infinity;
    const isHolder = !this.key || proven?.jkt === this.key;
    return isHolder && now < at + secondsOf(isLate ?? "PT0S");
  }

  /** The time before which an assertion may be one that the family has forgotten. Undefined: none had a time. */
  get since(): number | undefined {
    const timesOf = (list: SeenAssertion[]) =>
      list.flatMap((one) => one.iat ?? []);
    const times = timesOf(this.assertions);
    if (times.length === 0) return undefined;
    return Math.max(
      ...times.map((time) => time - 60),
      ...timesOf(this.assertions.slice(0, -8)).map((time) => time + 1),
    );
  }

  /** Tells whether a family remembers an assertion, as it does the newest eight. */
  remembers({ assertion }: ExchangeAttempt): boolean {
    const since = this.since ?? -Infinity;
    return (
      !this.key &&
      this.assertions
        .slice(-8)
        .some(
          ({ digest, iat = since }) =>
            digest === assertion?.digest && iat >= since,
        )
    );
  }

  /**
   * Tells whether a late request may be one that somebody has recorded. A family refuses what it may have forgotten, what
   * was made more than five minutes ago, and what has no time.
   */
  isRecorded({ assertion, now }: ExchangeAttempt): boolean {
    if (this.key || !assertion) return false;
    const { iat = -Infinity } = assertion;
    const at = this.issued.at(-2)?.used?.at ?? now;
    return iat < Math.max(this.since ?? at - 60, now - 300);
  }

  answer(
    { requested, allowed }: ExchangeAttempt,
    kind: "new" | "retry" | "late",
  ) {
    return {
      kind,
      key: this.key,
      scope: Array.isArray(requested.scope)
        ? requested.scope
        : granted.filter((one) => allowed.scope.includes(one)),
      // Whatever spelling was requested, the tokens have the registered one, once.
      resource: requested.resource.length > 0 ? ["https://a"] : [],
      generation: this.issued.length,
      expires_at: this.issued.at(-1)!.expires_at,
      claims: this.claims,
    };
  }

  changeClaims(claims: { n: number } | null, now: number): string {
    const newest = this.issued.at(-1);
    if (this.state !== "living" || !newest || now >= newest.expires_at)
      return "ended";
    this.claims = claims ?? undefined;
    return "changed";
  }

  revoke(client: string): string {
    if (this.state === "unmade" || this.state === "ended")
      return "ended_before";
    if (client !== "web") return "refresh_token_of_another_client";
    const wasLiving = this.state === "living";
    this.state = "ended";
    return wasLiving ? "revoked" : "ended_before";
  }
}

function secondsOf(duration: string): number {
  return Number(/\d+/.exec(duration)?.[0]);
}

function canBegin({ state }: Model): boolean {
  return state === "unmade" || state === "taken back";
}

function fault({ requested, allowed }: ExchangeAttempt): string | undefined {
  const { scope, resource } = requested;
  if (scope === "malformed") return "scope_malformed";
  const isAllowed = (one: string) =>
    granted.includes(one) && allowed.scope.includes(one);
  if (scope?.some((one) => !isAllowed(one))) return "scope_not_granted";
  if (!scope && allowed.scope.length === 0) return "scope_all_lost";
  // The client may ask for https://later today, but could not when the family began.
  return resource.some((one) => !["https://a", "HTTPS://A:443/"].includes(one))
    ? "resource_not_allowed"
    : undefined;
}

/** Counts what happened in the histories, because histories of refusals only would show little. */
export interface Tally {
  steps: number;
  exchanged: number;
  retried: number;
  takenBack: number;
  reused: number;
  /** Codes that came again at once, and codes that came late and ended their family. */
  codeRepeated: number;
  codeReused: number;
  ended: number;
  tooOld: number;
  claimsChanged: number;
  /** Holders that were late, tokens without their keys, and families that were bound later. */
  late: number;
  stolen: number;
  /** Late requests whose assertion may be recorded. */
  recorded: number;
  boundLater: number;
}

/**
 * Plays a history on a family and on the model.
 *
 * @throws Error if they disagree
 */
export async function play(
  { begins, key, isByKey = false, steps }: History,
  family: Family,
  tally: Tally,
): Promise<void> {
  const model = new Model();
  const attempts = ["none"];
  let now = T0;
  let last: { attempt: ExchangeAttempt; adopted: boolean } | undefined;
  const attemptAt = (position: number) => attempts.at(-1 - position) ?? "none";

  const answer = async (
    step: ExchangeStep | Extract<Step, { do: "adopt" }>,
    presented: ExchangeAttempt,
  ) => {
    const adopted = step.do === "adopt";
    const expected = adopted
      ? model.adopt("old", presented, step.window)
      : model.exchange(presented, step.window);
    const result = adopted
      ? await family.adopt(newFamily(), leagueRedemption(presented), presented)
      : await family.exchange(presented);
    assertSame(comparable(result), expected);
    if (result.outcome === "refused") {
      if (result.reason === "refresh_token_reused") tally.reused += 1;
      if (result.reason === "client_logins_ended") tally.ended += 1;
      if (result.reason === "family_too_old") tally.tooOld += 1;
      if (result.stolen?.proof === "recorded") tally.recorded += 1;
      else if (result.stolen) tally.stolen += 1;
      return;
    }
    tally.exchanged += 1;
    if (result.caught_up) tally.late += 1;
    else if (result.retried) tally.retried += 1;
    if (model.key && model.boundSince === result.generation && !result.retried)
      tally.boundLater += 1;
    if (!result.retried) last = { attempt: presented, adopted };
  };

  if (begins === "create") {
    await family.create(newFamily(key));
    model.begin(key);
  }
  for (const step of steps) {
    tally.steps += 1;
    if (step.do === "wait") {
      now += step.seconds;
    } else if (step.do === "revoke") {
      const key = { ...attempt(), client_id: step.client };
      const result = await family.revoke(key);
      const said = "reason" in result ? result.reason : result.outcome;
      assertSame(said, model.revoke(step.client));
    } else if (step.do === "claims") {
      const { claims } = step;
      const { outcome } = await family.changeClaims({ claims }, now);
      assertSame(outcome, model.changeClaims(claims, now));
      if (outcome === "changed") tally.claimsChanged += 1;
    } else if (step.do === "redeem") {
      if (!step.same) attempts.push(crypto.randomUUID());
      const by = redemption({
        attempt_id: attemptAt(0),
        code_id: step.code,
        ...(step.proof && { proof_digest: step.proof }),
      });
      const nowMs = now * 1000 + step.ms;
      const wasLiving = model.state === "living";
      const result = await family.redeem(newFamily(key), by, nowMs);
      const said = "reason" in result ? result.reason : result.outcome;
      assertSame(
        said,
        model.redeem(step.code, attemptAt(0), nowMs, {
          key,
          proof: step.proof,
        }),
      );
      if (said === "authorization_code_repeated") tally.codeRepeated += 1;
      if (said === "authorization_code_reused" && wasLiving)
        tally.codeReused += 1;
    } else if (step.do === "abandon") {
      const code_id = begins === "adopt" ? "old" : "first";
      const by = redemption({ attempt_id: attemptAt(step.back), code_id });
      await family.abandon(newFamily(), by);
      model.abandon(code_id, by.attempt_id);
      if (model.state === "taken back") tally.takenBack += 1;
    } else if (step.do === "adopt") {
      if (!step.same) attempts.push(crypto.randomUUID());
      await answer(
        step,
        attempt({
          attempt_id: attemptAt(0),
          requested: { scope: step.scope, resource: [] },
          retry_window: `PT${step.window}S`,
          ...(step.floor && { tokens_not_before: 0 }),
          now,
        }),
      );
    } else if (step.do === "repeat") {
      // Only an exchange is repeated; `redeem` and `adopt` have their own repetition.
      if (!last || last.adopted) continue;
      const repeated = { ...last.attempt, now };
      const expected = model.exchange(repeated, windowOf(repeated));
      assertSame(comparable(await family.exchange(repeated)), expected);
    } else {
      await answer(
        step,
        attempt({
          client_id: step.client,
          generation: Math.max(1, model.issued.length - step.back),
          secret_hash: new Uint8Array(32).fill(step.forged ? 0 : 7),
          requested: { scope: step.scope, resource: step.resource },
          allowed: {
            scope: step.allowed,
            resource: ["https://a", "https://later"],
          },
          resource_digests: { "https://a": "a", "https://later": "later" },
          retry_window: `PT${step.window}S`,
          refresh_token_max_age: `PT${step.maxAge}H`,
          ...(step.floor !== undefined && {
            tokens_not_before: model.authorized + step.floor,
          }),
          ...(!isByKey &&
            step.key && {
              proven: { jkt: step.key },
              ...(step.isPublic && { binds: { jkt: step.key } }),
            }),
          ...(isByKey && { assertion: seenAt(step.assertion, now) }),
          catch_up: {
            bound: `PT${step.catchUp.bound}S`,
            unbound: `PT${step.catchUp[isByKey ? "bound" : "unbound"]}S`,
          },
          now,
        }),
      );
    }
  }
}

function seenAt(
  { name, age }: ExchangeStep["assertion"],
  now: number,
): SeenAssertion {
  const digest = String(name);
  return age === undefined ? { digest } : { digest, iat: now - age };
}

function leagueRedemption({ attempt_id }: ExchangeAttempt): Redemption {
  return redemption({ attempt_id, code_id: "old", authorized_at_ms: 0 });
}

function windowOf({ retry_window }: ExchangeAttempt): number {
  return secondsOf(retry_window);
}

/** The longest life of a family in hours. A year is longer than any history. */
function maxAgeOf({ refresh_token_max_age }: ExchangeAttempt): number {
  return refresh_token_max_age === "P1Y"
    ? 9_000
    : Number(/\d+/.exec(refresh_token_max_age)?.[0]);
}

/** The part of an answer that the model has too. */
function comparable(result: ExchangeResult) {
  if (result.outcome === "refused") return result.reason;
  const { retried, caught_up, granted, generation, expires_at } = result;
  const { claims, cnf } = result.login;
  const kind = caught_up ? "late" : retried ? "retry" : "new";
  const key = cnf?.jkt;
  return { kind, key, ...granted, generation, expires_at, claims };
}

/** Compares without `expect`, which would take most of the time. */
function assertSame(actual: unknown, expected: unknown): void {
  const [said, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (said !== wanted)
    throw new Error(`the family answers ${said}, the model ${wanted}`);
}

export function newTally(): Tally {
  return {
    steps: 0,
    exchanged: 0,
    retried: 0,
    takenBack: 0,
    reused: 0,
    codeRepeated: 0,
    codeReused: 0,
    ended: 0,
    tooOld: 0,
    claimsChanged: 0,
    late: 0,
    stolen: 0,
    recorded: 0,
    boundLater: 0,
  };
}
