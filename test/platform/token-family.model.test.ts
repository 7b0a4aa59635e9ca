import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { ExchangeAttempt } from "../../src/oauth/repositories.ts";

/**
 * A small model of a family beside the real Durable Object, over random histories: whatever the one
 * says, the other has to say. The model keeps a list of what was handed out, where the object keeps
 * one number; fast-check prints the seed and the shortest history of a disagreement.
 */

const HISTORIES = 2000;
const T0 = 1_800_000_000;
const DAY = 86_400;
const granted = ["read", "write"];
const secret_hash = new Uint8Array(32).fill(1);

type Step =
  | {
      do: "exchange";
      /** Which of the tokens handed out so far, counted from the newest. */
      back: number;
      scope: ExchangeAttempt["scope"];
      allowed: string[];
      resource: string[];
      client: string;
      window: number;
      forged: boolean;
    }
  | { do: "wait"; seconds: number }
  | { do: "revoke"; client: string }
  | { do: "repeat" };

const scopes = fc.constantFrom<ExchangeAttempt["scope"]>(
  undefined,
  undefined,
  ["read"],
  ["read", "write"],
  ["write", "read"],
  ["admin"],
  "malformed",
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("exchange" as const),
      back: fc.oneof(
        { weight: 6, arbitrary: fc.constant(0) },
        { weight: 3, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.integer({ min: -1, max: 4 }) },
      ),
      scope: scopes,
      allowed: fc.oneof(
        { weight: 8, arbitrary: fc.constant(granted) },
        { weight: 1, arbitrary: fc.constantFrom<string[]>(["read"], []) },
      ),
      resource: fc.oneof(
        { weight: 8, arbitrary: fc.constant<string[]>([]) },
        {
          weight: 1,
          arbitrary: fc.constantFrom<string[]>(["https://a"], ["https://b"]),
        },
      ),
      client: fc.oneof(
        { weight: 12, arbitrary: fc.constant("web") },
        { weight: 1, arbitrary: fc.constant("other") },
      ),
      window: fc.constantFrom(0, 30, 30, 30),
      forged: fc.oneof(
        { weight: 15, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      seconds: fc.constantFrom(1, 10, 29, 30, 31, DAY / 2, DAY - 1, DAY),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("revoke" as const),
      client: fc.constantFrom("web", "other"),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: "repeat" as const }) },
);

/** A token that was handed out, as its holder knows it. */
interface Handed {
  expires_at: number;
  /** The request that was answered with its successor, and when. */
  spent?: { request: string; at: number };
}

/** The model: what RFC 9700 and DESIGN's decisions table say, in the plainest words. */
class Model {
  dead = false;
  readonly handed: Handed[] = [{ expires_at: T0 + DAY }];
  readonly end = T0 + 3 * DAY;

  exchange(attempt: ExchangeAttempt, window: number) {
    const { generation, now } = attempt;
    const newest = this.handed.at(-1)!;
    if (this.dead || now >= newest.expires_at) return "family_ended";
    if (attempt.secret_hash[0] !== 1) return "refresh_token_forged";
    if (attempt.client_id !== "web") return "refresh_token_of_another_client";
    const token = this.handed[generation - 1];
    if (!token) return "refresh_token_forged";

    const request = requestOf(attempt);
    if (token.spent) {
      const unusedSuccessor = this.handed.length === generation + 1;
      if (!unusedSuccessor || now >= token.spent.at + window) {
        this.dead = true;
        return "refresh_token_reused";
      }
      const same = request === token.spent.request;
      return same && verdict(attempt) === undefined
        ? this.answer(attempt)
        : "retry_differs";
    }
    const fault = verdict(attempt);
    if (fault) return fault;
    token.spent = { request, at: now };
    this.handed.push({
      expires_at: Math.min(attempt.successor_expires_at, this.end),
    });
    return this.answer(attempt);
  }

  answer({ scope, allowed_scope, resource }: ExchangeAttempt) {
    return {
      scope: Array.isArray(scope)
        ? scope
        : granted.filter((one) => allowed_scope.includes(one)),
      resource,
      generation: this.handed.length,
      expires_at: this.handed.at(-1)!.expires_at,
    };
  }
}

function requestOf({ scope, resource }: ExchangeAttempt): string {
  return [
    Array.isArray(scope)
      ? [...new Set(scope)].toSorted((a, b) => a.localeCompare(b)).join()
      : String(scope),
    resource.join(),
  ].join("|");
}

function verdict({
  scope,
  allowed_scope,
  resource,
}: ExchangeAttempt): string | undefined {
  if (scope === "malformed") return "scope_malformed";
  if (
    scope?.some((one) => !granted.includes(one) || !allowed_scope.includes(one))
  ) {
    return "scope_not_granted";
  }
  if (!scope && allowed_scope.length === 0) return "scope_all_lost";
  return resource.includes("https://b") ? "resource_not_allowed" : undefined;
}

it(`agrees with a small model of itself over ${HISTORIES} random histories`, async () => {
  let steps = 0;
  let exchanged = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      async (history) => {
        const family = env.TOKEN_FAMILY.get(env.TOKEN_FAMILY.newUniqueId());
        await family.create({
          client_id: "web",
          client_issued_at: 1,
          subject: "model",
          scope: granted,
          resource: [],
          secret_hash,
          created_at: T0,
          expires_at: T0 + DAY,
          ends_at: T0 + 3 * DAY,
          key_id: 7,
        });
        const model = new Model();
        let now = T0;
        let last:
          | { attempt: ExchangeAttempt; answered: number; result: object }
          | undefined;

        for (const act of history) {
          steps += 1;
          if (act.do === "wait") {
            now += act.seconds;
          } else if (act.do === "revoke") {
            const result = await family.revoke({
              client_id: act.client,
              client_issued_at: 1,
            });
            const over = model.dead;
            const expected = over
              ? { outcome: "ended_before" }
              : act.client === "web"
                ? { outcome: "revoked" }
                : {
                    outcome: "refused",
                    reason: "refresh_token_of_another_client",
                  };
            expect(result).toEqual(expected);
            if (act.client === "web") model.dead = true;
          } else if (act.do === "repeat") {
            // The very same attempt once more, because its answer was lost on the way to the edge.
            const stillNewest = last && model.handed.length === last.answered;
            if (
              !last ||
              !stillNewest ||
              model.dead ||
              now >= model.handed.at(-1)!.expires_at
            )
              continue;
            const again = await family.exchange({ ...last.attempt, now });
            expect(again).toMatchObject({ ...last.result, retried: true });
          } else {
            const attempt: ExchangeAttempt = {
              client_id: act.client,
              client_issued_at: 1,
              attempt_id: crypto.randomUUID(),
              generation: Math.max(1, model.handed.length - act.back),
              secret_hash: act.forged ? new Uint8Array(32) : secret_hash,
              scope: act.scope,
              allowed_scope: act.allowed,
              resource: act.resource,
              allowed_resource: ["https://a"],
              now,
              successor_expires_at: now + DAY,
              key_id: 7,
              retry_window: `PT${act.window}S`,
            };
            const before = model.handed.length;
            const expected = model.exchange(attempt, act.window);
            const result = await family.exchange(attempt);
            if (typeof expected === "string") {
              expect(result).toMatchObject({
                outcome: "refused",
                reason: expected,
              });
            } else {
              expect(result).toMatchObject({
                outcome: "exchanged",
                subject: "model",
                ...expected,
              });
              if (model.handed.length > before) {
                exchanged += 1;
                last = {
                  attempt,
                  answered: model.handed.length,
                  result: expected,
                };
              }
            }
          }
        }
      },
    ),
    { numRuns: HISTORIES },
  );
  // The histories have to lead somewhere: a model of refusals alone would prove little.
  expect(exchanged).toBeGreaterThan(HISTORIES);
  expect(steps).toBeGreaterThan(5 * HISTORIES);
}, 180_000);
