import { type Confirmation, hasKey, isConfirmed } from "../confirmation.ts";
import type { Reason } from "../errors.ts";
import type { LoginAttributes } from "../login-attributes.ts";
import type { ExchangeAttempt, Stolen } from "../repositories.ts";
import type { LivingFamily } from "./record.ts";

/*
 * Keys that the refresh tokens of a family are bound to (RFC 9449 section 5, RFC 8705 section 4). A request that proves
 * them is the holder's. A request with a token that is bound to them, and without the proof, is a finder's or a
 * thief's: it is refused and changes nothing, so that it cannot end the login either.
 *
 * A family that begins as one of bearer tokens may be bound later, from one of its tokens on. Those before stay bearer
 * tokens, because a thief may have used one of them to bind the family to a key of his own.
 */

/** Returns the keys that a family is bound to. Undefined: its tokens are bearer tokens. */
export function boundKeys({
  login: { cnf },
}: Pick<LivingFamily, "login">): Confirmation | undefined {
  // Every request would confirm a binding that has no key.
  return hasKey(cnf) ? cnf : undefined;
}

/**
 * Finds that a token is bound to keys that the request has not proven.
 *
 * @returns why, for the log; undefined if the request has proven them, or if the token is a bearer token
 */
export function findUnproven(
  family: LivingFamily,
  { generation, proven }: ExchangeAttempt,
): Stolen | undefined {
  const keys = boundKeys(family);
  if (!keys || generation < (family.bound_since ?? 1)) return undefined;
  if (isConfirmed(keys, proven)) return undefined;
  return {
    generation,
    newest_generation: family.generation,
    proof: hasOther(keys, proven) ? "another_key" : "none",
  };
}

/** Returns why a token is refused whose keys the request has not proven. */
export function reasonOf(
  { proof }: Stolen,
  { cnf }: LoginAttributes,
  { proven }: Pick<ExchangeAttempt, "proven">,
): Reason {
  if (proof === "another_key") return "refresh_token_of_another_key";
  const { jkt = proven?.jkt } = cnf ?? {};
  return jkt === proven?.jkt
    ? "refresh_token_certificate_missing"
    : "refresh_token_proof_missing";
}

/** Binds the successor of a bearer token to the keys that a public client has proven. */
export function bindSuccessor(
  family: LivingFamily,
  login: LoginAttributes,
  { binds }: ExchangeAttempt,
): Pick<LivingFamily, "login" | "bound_since"> {
  if (!binds || !hasKey(binds) || boundKeys(family)) return { login };
  return {
    login: { ...login, cnf: binds },
    bound_since: family.generation + 1,
  };
}

/** Tells whether a request has proven another key in the place of one that it must prove. */
function hasOther(
  keys: Confirmation,
  proven: Confirmation | undefined,
): boolean {
  const names = ["jkt", "x5t#S256"] as const;
  return names.some(
    (name) =>
      keys[name] !== undefined &&
      proven?.[name] !== undefined &&
      keys[name] !== proven[name],
  );
}
