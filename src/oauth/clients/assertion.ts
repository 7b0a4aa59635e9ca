import * as base64url from "jose/base64url";
import * as v from "valibot";
import {
  type AssertionAlgorithm,
  assertionKeyTypes,
} from "../assertion-algorithms.ts";
import { CLOCK_SKEW_SECONDS, type Seconds } from "../duration.ts";
import type { Reason } from "../errors.ts";
import { parse } from "../schema.ts";

/**
 * The form and the claims of a client's assertion (RFC 7523 section 3, with draft-ietf-oauth-rfc7523bis). It is loaded
 * when the first one arrives. `assertion-keys.ts` verifies the signature.
 */

/** The longest time until an assertion expires, in seconds. Its `jti` is kept until then. */
const MAX_SECONDS = 60 * 60;

/**
 * `typ` of an assertion; most libraries send none, or JWT. Whatever else the same key signs has another one, so that
 * it is not accepted here (RFC 8725 section 3.11).
 */
const types = new Set(["jwt", "client-authentication+jwt"]);

const header = v.object({
  alg: v.string(),
  kid: v.optional(v.string()),
  typ: v.optional(v.string()),
  /** RFC 7515 section 4.1.11: what is critical would have to be understood, and nothing of it is. */
  crit: v.optional(v.never()),
});

const time = v.pipe(v.number(), v.finite());

const claims = v.object({
  iss: v.string(),
  sub: v.pipe(v.string(), v.minLength(1)),
  aud: v.union([v.string(), v.array(v.string())]),
  exp: time,
  iat: v.optional(time),
  nbf: v.optional(time),
  jti: v.pipe(v.string(), v.minLength(1)),
});

type Claims = v.InferOutput<typeof claims>;

/** An assertion with good claims, whose signature is not verified yet. */
export interface Assertion {
  jwt: string;
  alg: AssertionAlgorithm;
  /** Undefined: it names no key. */
  kid: string | undefined;
  jti: string;
  /** The time when the client says that it was made. Left out: it does not say. */
  iat?: Seconds;
  /** From this time on, the assertion is not accepted. */
  expires_at: Seconds;
}

/** An assertion before its signature is verified. */
export type ReadAssertion = {
  /** The client that it names. Undefined: it cannot be read. */
  sub?: string;
} & (
  | {
      refused: Reason;
      /**
       * True: its times, its `aud` or its `iss` are wrong. It may be a recorded assertion of the client, or that of a
       * client whose clock or settings are wrong.
       */
      has_wrong_claims: boolean;
    }
  | ({ refused?: never } & Assertion)
);

/**
 * Reads an assertion, and checks all that needs no key.
 *
 * @param issuer the only `aud` that is accepted. That of another server, or of one endpoint, could be used there or at
 *   another endpoint by whom it was sent to
 */
export function readAssertion(
  jwt: string,
  issuer: string,
  now: Seconds,
): ReadAssertion {
  const [head = "", payload = "", signature = "", ...rest] = jwt.split(".");
  const { data: protectedHeader } = parse(header, decodeJson(head));
  const decoded = decodeJson(payload);
  const { data: claimed } = parse(claims, decoded);
  const sub = claimed?.sub ?? subjectIn(decoded);
  const refuse = (
    refused: Reason,
    has_wrong_claims = false,
  ): ReadAssertion => ({
    ...(sub !== undefined && { sub }),
    refused,
    has_wrong_claims,
  });
  if (!protectedHeader || !claimed || signature === "" || rest.length > 0)
    return refuse("client_assertion_malformed");
  const { alg, kid, typ = "JWT" } = protectedHeader;
  if (!types.has(typ.toLowerCase().replace(/^application\//, "")))
    return refuse("client_assertion_of_another_kind");
  if (!isAlgorithm(alg)) return refuse("client_assertion_algorithm_wrong");
  const problem = claimsProblem(claimed, issuer, now);
  if (problem) return refuse(problem, true);
  const { jti, exp, iat } = claimed;
  const expires_at = Math.ceil(exp) + CLOCK_SKEW_SECONDS;
  const dated = iat !== undefined && { iat };
  return { sub: claimed.sub, jwt, alg, kid, jti, expires_at, ...dated };
}

function claimsProblem(
  { iss, sub, aud, exp, iat, nbf }: Claims,
  issuer: string,
  now: Seconds,
): Reason | undefined {
  if (iss !== sub) return "client_assertion_issuer_wrong";
  const audiences = [aud].flat();
  if (audiences.length !== 1 || audiences[0] !== issuer)
    return audiences.some((audience) => audience.startsWith(`${issuer}/`))
      ? "client_assertion_for_endpoint"
      : "client_assertion_audience_wrong";
  if (now >= exp + CLOCK_SKEW_SECONDS) return "client_assertion_expired";
  if (Math.max(iat ?? 0, nbf ?? 0) > now + CLOCK_SKEW_SECONDS)
    return "client_assertion_early";
  return exp > now + MAX_SECONDS + CLOCK_SKEW_SECONDS
    ? "client_assertion_long_lived"
    : undefined;
}

function isAlgorithm(alg: string): alg is AssertionAlgorithm {
  return Object.hasOwn(assertionKeyTypes, alg);
}

/** Finds the client that an assertion names whose other claims are not good, for the log. */
function subjectIn(decoded: unknown): string | undefined {
  return parse(v.object({ sub: claims.entries.sub }), decoded).data?.sub;
}

function decodeJson(part: string): unknown {
  if (!/^[\w-]+$/.test(part)) return undefined;
  try {
    const text = new TextDecoder("utf-8", {
      fatal: true,
      ignoreBOM: true,
    }).decode(base64url.decode(part));
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
