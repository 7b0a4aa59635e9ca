import * as v from "valibot";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import {
  type LoginClaims,
  sizeOfLoginClaims,
  withLoginClaims,
} from "../login-claims.ts";
import type { RefreshDecision } from "../refresh-hook.ts";
import { parse, strictObject } from "../schema.ts";
import { loginClaimChanges, sizeProblem } from "./login-claims-schema.ts";

/**
 * Reads the answer of the hook.
 *
 * @param kept the claims of the login. Together with the changes they must obey the bounds
 */
export function readRefreshAnswer(
  answer: unknown,
  kept: LoginClaims,
  now: Seconds,
): RefreshDecision {
  // A clear no is obeyed, whatever stands beside it.
  if (isRecord(answer) && answer["allowed"] === false)
    return { outcome: "denied" };
  const { data, issues } = parse(
    strictObject({ allowed: v.literal(true), ...loginClaimChanges }),
    answer,
  );
  if (issues) {
    const [{ path, message } = { path: [], message: "is malformed" }] = issues;
    return malformed(message, path[0]);
  }
  const { allowed: _allowed, ...changes } = data;
  const { auth_time } = changes;
  if (typeof auth_time === "number" && auth_time > now + CLOCK_SKEW_SECONDS)
    return malformed("is in the future", "auth_time");
  const isChanged = Object.keys(changes).length > 0;
  const problem =
    isChanged && sizeProblem(sizeOfLoginClaims(withLoginClaims(kept, changes)));
  return problem ? malformed(problem) : { outcome: "allowed", changes };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** @param problem a message of ours, which quotes no value */
function malformed(
  problem: string,
  field: PropertyKey = "answer",
): RefreshDecision {
  // The name of an unknown field may be anything.
  const name = /^\w{1,40}$/.test(String(field)) ? String(field) : "a field";
  return {
    outcome: "failed",
    reason: "malformed",
    error: `${name} ${problem}`,
  };
}
